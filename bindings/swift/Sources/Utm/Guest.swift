// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CUtm

/// A command of the guest agent, with its arguments.
public protocol GuestCommand: JSONValue {
    associatedtype Reply: JSONValue
    /// On the wire.
    static var name: String { get }
}

/// A connection to the agent inside a guest, over any socket that leads to it.
///
/// Each command is a function, such as ``getOsinfo(calling:)``. Commands go to the agent one after the other; everything that
/// it answers is the guest's word, true or not.
public final class Guest: Sendable {
    /// How a command is run.
    public struct CallOptions: Sendable {
        /// Until the reply; ``Timeout/standard`` is the command's own, mostly 30 s.
        public var timeout: Timeout

        public init(timeout: Timeout = .standard) {
            self.timeout = timeout
        }
    }

    let handle: Handle
    private let context: Context

    private init(taking raw: OpaquePointer, _ context: Context) {
        handle = Handle(raw)
        self.context = context
    }

    deinit {
        utm_guest_unref(handle.raw)
    }

    /// Connects to an agent's unix socket.
    ///
    /// - Parameters:
    ///   - waits: For the agent to answer. Without, the connection is there as soon as the socket is, and its calls wait.
    ///   - timeout: Until the agent answers; ``Timeout/standard`` is 10 s.
    public static func connect(
        path: String, waits: Bool = true, timeout: Timeout = .standard, in context: Context? = nil
    ) async throws(UtmError) -> Guest {
        try await connect(context, waits, timeout) { utm_guest_connect_path($0, path, $1, $2, $3) }
    }

    /// Connects over a stream socket, which belongs to the library from now on.
    public static func connect(
        fileDescriptor: Int32, waits: Bool = true, timeout: Timeout = .standard, in context: Context? = nil
    ) async throws(UtmError) -> Guest {
        try await connect(context, waits, timeout) { utm_guest_connect_fd($0, fileDescriptor, $1, $2, $3) }
    }

    private static func connect(
        _ context: Context?, _ waits: Bool, _ timeout: Timeout,
        _ function: @escaping @Sendable (
            OpaquePointer, UnsafePointer<UtmGuestConnectOptions>, UnsafeMutablePointer<OpaquePointer?>, ErrorOut
        ) -> CInt
    ) async throws(UtmError) -> Guest {
        let context = try Context.given(context)
        return try await offload { (cancel) throws(UtmError) in
            var c = UtmGuestConnectOptions()
            c.size = MemoryLayout<UtmGuestConnectOptions>.size
            c.timeout_ms = timeout.option
            c.cancel = cancel.handle.raw
            c.flags = waits ? 0 : UTM_GUEST_CONNECT_NO_WAIT.rawValue
            return Guest(taking: try make { function(context.handle.raw, &c, $0, $1) }, context)
        }
    }

    /// Closes the connection. Pending commands end with ``UtmError/Code/qmpDisconnected``.
    public func close() {
        utm_guest_close(handle.raw)
    }

    /// Throws ``UtmError/Code/timeout`` when the agent is not there. Not needed before commands.
    public func sync(timeout: Timeout = .standard) async throws(UtmError) {
        try await offload { [self] (cancel) throws(UtmError) in
            _ = try call { error in
                QMP.CallOptions(timeout: timeout).with(cancel.handle.raw) { utm_guest_sync(handle.raw, $0, error) }
            }
        }
    }

    /// Runs a command.
    @discardableResult
    public func execute<Command: GuestCommand>(
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

    /// Commands for programs without tasks.
    public var blocking: Blocking { Blocking(guest: self) }

    /// See ``Guest/blocking``.
    public struct Blocking: Sendable {
        fileprivate let guest: Guest

        /// Runs a command, blocking the thread.
        @available(*, noasync)
        @discardableResult
        public func execute<Command: GuestCommand>(
            _ command: Command, options: CallOptions = CallOptions(), cancel: CancelToken? = nil
        ) throws(UtmError) -> Command.Reply {
            let text = try command.encodeJSON()
            let reply = try makeText { reply, error in
                QMP.CallOptions(timeout: options.timeout).with(cancel?.handle.raw) {
                    utm_guest_execute(guest.handle.raw, Command.name, text == "{}" ? nil : text, $0, reply, error)
                }
            }
            return try Command.Reply(json: JSON(parsing: reply))
        }
    }

    private func execute(_ command: String, text: String?, _ options: CallOptions) async throws(UtmError) -> JSON {
        let reply: String = try await perform { cancel, data, error in
            QMP.CallOptions(timeout: options.timeout).with(cancel) {
                utm_guest_execute_async(
                    handle.raw, command, text == "{}" ? nil : text, $0,
                    { _, reply, error, data in Waiting<String>.from(data).finish(error) { Utm.text(reply) ?? "{}" } },
                    data, Pending.free, error)
            }
        }
        return try JSON(parsing: reply)
    }
}

/// Bytes in strings: what `guest-file-read` and `guest-exec-status` answer.
public enum Base64 {
    /// The bytes that a text stands for.
    public static func decode(_ text: String) throws(UtmError) -> [UInt8] {
        var data: UnsafeMutablePointer<CChar>?
        var count = 0
        try call { utm_base64_decode(text, &data, &count, $0) }
        return takeBytes(data, count)
    }

    /// Bytes as a text.
    public static func encode(_ bytes: [UInt8]) -> String {
        takeText(bytes.withUnsafeBytes { utm_base64_encode($0.baseAddress, $0.count) }) ?? ""
    }
}
