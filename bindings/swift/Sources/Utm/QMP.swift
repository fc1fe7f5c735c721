// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CUtm

/// A command of QEMU's monitor, with its arguments.
public protocol QMPCommand: JSONValue {
    associatedtype Reply: JSONValue
    /// On the wire.
    static var name: String { get }
}

/// The data of an event of QEMU's.
public protocol QMPEvent: JSONValue {
    /// On the wire.
    static var name: String { get }
}

/// What commands answer that have nothing to say.
public struct EmptyReply: JSONValue, Hashable {
    public init(json: JSON) {}

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.endObject()
    }
}

/// A connection to a QEMU monitor, be it that of a machine or any other.
///
/// Each command is a function, such as ``queryStatus(calling:)``, and each type is a struct in here. What QEMU has and this
/// package does not know goes through ``execute(_:arguments:options:)-(String,_,_)``.
public final class QMP: Sendable {
    /// How a connection is made.
    public struct ConnectOptions: Sendable {
        /// Until greeting and negotiation are done; ``Timeout/standard`` is 10 s.
        public var timeout: Timeout
        /// Ask for out-of-band execution.
        public var outOfBand: Bool
        /// End each command with a line feed, for what passes on whole lines only.
        public var lines: Bool
        /// A replayed session may have its commands in any order.
        public var replaysUnordered: Bool
        /// A replayed session takes as long as it took then.
        public var replaysPaced: Bool
        /// Record the session to this file. It holds the secrets that commands and answers hold.
        public var recordFile: String?

        public init(
            timeout: Timeout = .standard, outOfBand: Bool = false, lines: Bool = false, replaysUnordered: Bool = false,
            replaysPaced: Bool = false, recordFile: String? = nil
        ) {
            self.timeout = timeout
            self.outOfBand = outOfBand
            self.lines = lines
            self.replaysUnordered = replaysUnordered
            self.replaysPaced = replaysPaced
            self.recordFile = recordFile
        }

        fileprivate func with(
            _ cancel: CancelToken, _ body: (UnsafePointer<UtmQmpConnectOptions>) throws(UtmError) -> OpaquePointer
        ) throws(UtmError) -> OpaquePointer {
            let arena = Arena()
            defer { withExtendedLifetime((arena, cancel)) {} }
            var c = UtmQmpConnectOptions()
            c.size = MemoryLayout<UtmQmpConnectOptions>.size
            c.timeout_ms = timeout.option
            c.cancel = cancel.handle.raw
            c.record_file = arena.string(recordFile)
            let flags = [
                (outOfBand, UTM_QMP_CONNECT_OOB), (lines, UTM_QMP_CONNECT_LINES),
                (replaysUnordered, UTM_QMP_CONNECT_REPLAY_UNORDERED), (replaysPaced, UTM_QMP_CONNECT_REPLAY_PACED),
            ]
            c.flags = flags.reduce(0) { $1.0 ? $0 | $1.1.rawValue : $0 }
            return try body(&c)
        }
    }

    /// How a command is run.
    public struct CallOptions: Sendable {
        /// Until the reply; ``Timeout/standard`` is the command's own, mostly 30 s.
        public var timeout: Timeout
        /// Execute it at once, beside all others.
        public var outOfBand: Bool
        /// A descriptor that goes with the command; it stays the caller's.
        public var fileDescriptor: Int32?

        public init(timeout: Timeout = .standard, outOfBand: Bool = false, fileDescriptor: Int32? = nil) {
            self.timeout = timeout
            self.outOfBand = outOfBand
            self.fileDescriptor = fileDescriptor
        }

        func with(_ cancel: OpaquePointer?, _ body: (UnsafePointer<UtmQmpCallOptions>) -> CInt) -> CInt {
            var descriptor = fileDescriptor ?? -1
            return withUnsafePointer(to: &descriptor) { descriptor in
                var c = UtmQmpCallOptions()
                c.size = MemoryLayout<UtmQmpCallOptions>.size
                c.timeout_ms = timeout.option
                c.cancel = cancel
                c.flags = outOfBand ? UTM_QMP_CALL_OOB.rawValue : 0
                c.fd = fileDescriptor == nil ? nil : descriptor
                return body(&c)
            }
        }
    }

    /// Something that happened.
    public struct Event: Sendable {
        /// Such as `SHUTDOWN`.
        public let name: String
        /// Its data as JSON; nil when it has none.
        public let data: String?
        /// When QEMU sent it, microseconds since 1970; nil when QEMU's clock failed.
        public let timestamp: Int64?
        /// Events that this listener lost since it got the last one.
        public let dropped: UInt64

        init?(_ c: UtmQmpEvent, lost: UInt64 = 0) {
            guard let name = text(c.name) else { return nil }
            self.name = name
            data = text(c.data)
            timestamp = c.timestamp_us < 0 ? nil : c.timestamp_us
            dropped = c.dropped + lost
        }

        /// The data as the type that belongs to the event; nil when it is another event.
        public func decode<Data: QMPEvent>(_ type: Data.Type = Data.self) throws(UtmError) -> Data? {
            name == Data.name ? try Data(json: JSON(parsing: data ?? "{}")) : nil
        }
    }

    let handle: Handle
    let context: Context

    init(taking raw: OpaquePointer, _ context: Context) {
        handle = Handle(raw)
        self.context = context
    }

    deinit {
        utm_qmp_unref(handle.raw)
    }

    // MARK: - Connecting

    /// Connects to a monitor's unix socket.
    public static func connect(
        path: String, options: ConnectOptions = ConnectOptions(), in context: Context? = nil
    ) async throws(UtmError) -> QMP {
        try await connect(context, options) { utm_qmp_connect_path($0, path, $1, $2, $3) }
    }

    /// Negotiates over a connected stream socket, which belongs to the library from now on.
    public static func connect(
        fileDescriptor: Int32, options: ConnectOptions = ConnectOptions(), in context: Context? = nil
    ) async throws(UtmError) -> QMP {
        try await connect(context, options) { utm_qmp_connect_fd($0, fileDescriptor, $1, $2, $3) }
    }

    /// Connects to a monitor that listens on a TCP port.
    public static func connect(
        host: String, port: UInt16, options: ConnectOptions = ConnectOptions(), in context: Context? = nil
    ) async throws(UtmError) -> QMP {
        try await connect(context, options) { utm_qmp_connect_tcp($0, host, port, $1, $2, $3) }
    }

    /// Plays a recorded session instead of a QEMU.
    public static func connect(
        replaying path: String, options: ConnectOptions = ConnectOptions(), in context: Context? = nil
    ) async throws(UtmError) -> QMP {
        try await connect(context, options) { utm_qmp_connect_replay($0, path, $1, $2, $3) }
    }

    private typealias Connect = @Sendable (
        OpaquePointer, UnsafePointer<UtmQmpConnectOptions>, UnsafeMutablePointer<OpaquePointer?>, ErrorOut
    ) -> CInt

    private static func connect(
        _ context: Context?, _ options: ConnectOptions, _ function: @escaping Connect
    ) async throws(UtmError) -> QMP {
        let context = try Context.given(context)
        return try await offload { (cancel) throws(UtmError) in try connect(context, options, cancel, function) }
    }

    private static func connect(
        _ context: Context, _ options: ConnectOptions, _ cancel: CancelToken, _ function: Connect
    ) throws(UtmError) -> QMP {
        let raw = try options.with(cancel) { (c) throws(UtmError) in try make { function(context.handle.raw, c, $0, $1) } }
        return QMP(taking: raw, context)
    }

    /// Closes the connection for everybody. Pending commands end with ``UtmError/Code/qmpDisconnected``.
    public func close() {
        utm_qmp_close(handle.raw)
    }

    // MARK: - What it is

    /// The greeting's `QMP` object: version and capabilities.
    public var greeting: JSON {
        (try? JSON(parsing: text(utm_qmp_get_greeting(handle.raw)) ?? "null")) ?? .null
    }

    /// QEMU's version, major * 1000000 + minor * 1000 + micro.
    public var qemuVersion: Int { Int(utm_qmp_get_qemu_version(handle.raw)) }

    /// Whether ``CallOptions/outOfBand`` works here.
    public var hasOutOfBand: Bool { utm_qmp_has_oob(handle.raw) }

    /// Whether the connected QEMU has something: `blockdev-add`, `migrate.uri`, `blockdev-add.driver=nbd.tls-creds`.
    public func has(_ what: String, timeout: Timeout = .standard) async throws(UtmError) -> Bool {
        try await perform { cancel, data, error in
            CallOptions(timeout: timeout).with(cancel) {
                utm_qmp_has_async(
                    handle.raw, what, $0, { _, has, error, data in Waiting<Bool>.from(data).finish(error) { has } },
                    data, Pending.free, error)
            }
        }
    }

    // MARK: - Commands

    /// Runs a command.
    @discardableResult
    public func execute<Command: QMPCommand>(
        _ command: Command, options: CallOptions = CallOptions()
    ) async throws(UtmError) -> Command.Reply {
        try Command.Reply(json: try await execute(Command.name, text: try command.encodeJSON(), options))
    }

    /// Runs any command.
    @discardableResult
    public func execute(
        _ command: String, arguments: JSON? = nil, options: CallOptions = CallOptions()
    ) async throws(UtmError) -> JSON {
        try await execute(command, text: try arguments?.encodeJSON(), options)
    }

    private func execute(_ command: String, text: String?, _ options: CallOptions) async throws(UtmError) -> JSON {
        let reply: String = try await perform { cancel, data, error in
            options.with(cancel) {
                utm_qmp_execute_async(
                    handle.raw, command, text == "{}" ? nil : text, $0,
                    { _, reply, error, data in Waiting<String>.from(data).finish(error) { Utm.text(reply) ?? "{}" } },
                    data, Pending.free, error)
            }
        }
        return try JSON(parsing: reply)
    }

    fileprivate func execute(
        _ command: String, text: String?, _ options: CallOptions, _ cancel: CancelToken?
    ) throws(UtmError) -> JSON {
        let reply = try makeText { reply, error in
            options.with(cancel?.handle.raw) {
                utm_qmp_execute(handle.raw, command, text == "{}" ? nil : text, $0, reply, error)
            }
        }
        return try JSON(parsing: reply)
    }

    /// Commands for programs without tasks.
    public var blocking: Blocking { Blocking(qmp: self) }

    /// See ``QMP/blocking``.
    public struct Blocking: Sendable {
        fileprivate let qmp: QMP

        /// Runs a command, blocking the thread.
        @available(*, noasync)
        @discardableResult
        public func execute<Command: QMPCommand>(
            _ command: Command, options: CallOptions = CallOptions(), cancel: CancelToken? = nil
        ) throws(UtmError) -> Command.Reply {
            try Command.Reply(json: try qmp.execute(Command.name, text: try command.encodeJSON(), options, cancel))
        }

        /// Runs any command, blocking the thread.
        @available(*, noasync)
        @discardableResult
        public func execute(
            _ command: String, arguments: JSON? = nil, options: CallOptions = CallOptions(), cancel: CancelToken? = nil
        ) throws(UtmError) -> JSON {
            try qmp.execute(command, text: try arguments?.encodeJSON(), options, cancel)
        }
    }

    // MARK: - Events

    /// Events from now on, in the order in which QEMU sent them. The sequence ends with the connection, and throws why when
    /// that was broken.
    ///
    /// - Parameters:
    ///   - names: Which; none for all.
    ///   - limit: How many may wait. Beyond, the newest are dropped, and ``Event/dropped`` of the next tells how many.
    public func events(_ names: String..., limit: Int = 1024) throws(UtmError) -> AsyncThrowingStream<Event, any Error> {
        try events(names, limit: limit)
    }

    /// Events of one kind from now on, as their data.
    public func events<Data: QMPEvent>(
        of type: Data.Type, limit: Int = 1024
    ) throws(UtmError) -> AsyncThrowingMapSequence<AsyncThrowingStream<Event, any Error>, Data> {
        try events([Data.name], limit: limit).map { try Data(json: JSON(parsing: $0.data ?? "{}")) }
    }

    private func events(_ names: [String], limit: Int) throws(UtmError) -> AsyncThrowingStream<Event, any Error> {
        let (stream, continuation) = AsyncThrowingStream.makeStream(
            of: Event.self, throwing: (any Error).self, bufferingPolicy: .bufferingOldest(limit))
        let arena = Arena()
        defer { withExtendedLifetime(arena) {} }
        let listener = Listener(continuation)
        let subscription = Subscription(
            taking: try make {
                utm_qmp_subscribe(
                    handle.raw, names.isEmpty ? nil : arena.strings(names),
                    { _, event, data in Box<Listener>.value(data).hear(event!.pointee) },
                    Box.retained(listener), releaseBox, $0, $1)
            }, context)
        // The subscription lasts as long as somebody may read the sequence.
        continuation.onTermination = { _ in withExtendedLifetime(subscription) {} }
        return stream
    }

    /// What a subscription has as its handler. Unchecked: it is only used in dispatch, on one thread at a time.
    private final class Listener: @unchecked Sendable {
        private let continuation: AsyncThrowingStream<Event, any Error>.Continuation
        private var lost: UInt64 = 0

        init(_ continuation: AsyncThrowingStream<Event, any Error>.Continuation) {
            self.continuation = continuation
        }

        func hear(_ c: UtmQmpEvent) {
            guard let event = Event(c, lost: lost) else { return end(UtmError.of(c.error)) }
            if case .dropped = continuation.yield(event) {
                lost = event.dropped + 1
            } else {
                lost = 0
            }
        }

        private func end(_ error: UtmError?) {
            continuation.finish(throwing: error?.code == .qmpDisconnected ? nil : error)
        }
    }

    /// Events that are collected until somebody asks for them: subscribe, send the command, then wait.
    public final class Subscription: Sendable {
        fileprivate let handle: Handle
        private let context: Context

        fileprivate init(taking raw: OpaquePointer, _ context: Context) {
            handle = Handle(raw)
            self.context = context
        }

        deinit {
            utm_qmp_subscription_unref(handle.raw)
        }

        /// The next event that fits; those before it are lost to this subscription.
        public func next(
            timeout: Timeout = .standard, where matches: @escaping @Sendable (Event) -> Bool = { _ in true }
        ) async throws(UtmError) -> Event {
            try await offload { [self] (cancel) throws(UtmError) in try wait(timeout, cancel, matches) }
        }

        /// As ``next(timeout:where:)``, blocking the thread.
        @available(*, noasync)
        public func nextBlocking(
            timeout: Timeout = .standard, cancel: CancelToken? = nil, where matches: @escaping (Event) -> Bool = { _ in true }
        ) throws(UtmError) -> Event {
            try wait(timeout, cancel, matches)
        }

        private func wait(
            _ timeout: Timeout, _ cancel: CancelToken?, _ matches: @escaping (Event) -> Bool
        ) throws(UtmError) -> Event {
            defer { withExtendedLifetime(cancel) {} }
            var c = UtmQmpWaitOptions()
            c.size = MemoryLayout<UtmQmpWaitOptions>.size
            c.timeout_ms = timeout.option
            c.cancel = cancel?.handle.raw
            let data = Box<(Event) -> Bool>.retained(matches)
            defer { releaseBox(data) }
            var event: UnsafePointer<UtmQmpEvent>?
            try call {
                utm_qmp_subscription_wait(
                    handle.raw,
                    { event, data in Event(event!.pointee).map { Box<(Event) -> Bool>.value(data)($0) } ?? false },
                    data, &c, &event, $0)
            }
            defer { utm_qmp_event_unref(event) }
            guard let found = event.flatMap({ Event($0.pointee) }) else {
                throw UtmError(code: .qmpDisconnected, message: "the connection has ended")
            }
            return found
        }
    }

    /// Collects events from now on.
    ///
    /// - Parameter names: Which; none for all.
    public func subscribe(_ names: String...) throws(UtmError) -> Subscription {
        let arena = Arena()
        defer { withExtendedLifetime(arena) {} }
        return Subscription(
            taking: try make {
                utm_qmp_subscribe(handle.raw, names.isEmpty ? nil : arena.strings(names), nil, nil, nil, $0, $1)
            }, context)
    }

    // MARK: - Recordings

    /// Records the session to a file from now on. It holds the secrets that commands and answers hold.
    public func record(to path: String) throws(UtmError) {
        try call { utm_qmp_record(handle.raw, path, $0) }
    }

    /// Ends the recording and waits until it is in the file.
    public func stopRecording() async throws(UtmError) {
        try await offload { [self] (_) throws(UtmError) in _ = try call { utm_qmp_record_stop(handle.raw, $0) } }
    }

    /// Throws unless a replayed session was the recorded one: for the end of a test.
    public func checkReplay() throws(UtmError) {
        try call { utm_qmp_check_replay(handle.raw, $0) }
    }
}
