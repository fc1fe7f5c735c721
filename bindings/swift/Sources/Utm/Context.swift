// SPDX-License-Identifier: LGPL-2.1-or-later
@preconcurrency public import Dispatch
internal import CUtm

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// Which accelerator machines may use.
public enum AccelerationPolicy: UInt32, Sendable {
    /// A hardware accelerator that has been proven to work for the guest's architecture, else TCG.
    case automatic = 0
    /// As automatic, but only when the configuration asks for a hypervisor too.
    case configuration = 1
    /// KVM, or fail.
    case kvm = 2
    /// Always emulate.
    case tcg = 3
}

/// What becomes of the additional arguments of a configuration, which can do anything that the user can.
public enum ArgumentPolicy: UInt32, Sendable {
    /// QEMU gets them, and a warning lists them.
    case list = 0
    /// QEMU gets them.
    case allow = 1
    /// A machine that has any does not start: ``UtmError/Code/argumentsRefused``.
    case refuse = 2
}

/// How much the log tells.
public enum LogLevel: UInt32, Sendable, Comparable {
    case none = 0
    case error = 1
    case warning = 2
    case info = 3
    case debug = 4

    public static func < (a: LogLevel, b: LogLevel) -> Bool { a.rawValue < b.rawValue }
}

/// Where the library's thread, its events and its policy live. Everything else belongs to one.
///
/// Swift's concurrency has no loop that could watch a descriptor, so a context serves its events by itself, on a queue of its
/// own or on the main queue. Nothing of yours runs there but the log handler and a function given to
/// ``setWakeup(_:)``: what the library tells resumes tasks and fills sequences.
///
/// Most programs need no context of their own: ``shared()``.
public final class Context: Sendable {
    /// Who serves the events.
    public enum Dispatching: Sendable {
        /// A serial queue of the context's own.
        case ownQueue
        /// The main queue, which a program with a run loop or `dispatchMain()` serves.
        case mainQueue
        /// A serial queue of yours.
        case queue(DispatchQueue)
        /// Nobody: the program watches ``Context/fileDescriptor`` and calls ``Context/dispatch(atMost:)``, or calls
        /// ``Context/wait(timeout:)``.
        case manual
    }

    /// What a context is made with.
    public struct Options: Sendable {
        /// Directories to look for QEMU programs in, before `PATH`.
        public var qemuDirectories: [String]?
        /// Directories to look for UEFI firmware in, before the usual ones.
        public var firmwareDirectories: [String]?
        /// Where private run-time files go; made if missing. Nil: `XDG_RUNTIME_DIR`, else `/tmp`.
        public var runtimeDirectory: String?
        /// The console engine program. Nil: the installed one, or `UTM_CONSOLE_ENGINE` of the environment.
        public var consoleEngine: String?
        public var acceleration: AccelerationPolicy
        public var arguments: ArgumentPolicy

        public init(
            qemuDirectories: [String]? = nil, firmwareDirectories: [String]? = nil, runtimeDirectory: String? = nil,
            consoleEngine: String? = nil, acceleration: AccelerationPolicy = .automatic, arguments: ArgumentPolicy = .list
        ) {
            self.qemuDirectories = qemuDirectories
            self.firmwareDirectories = firmwareDirectories
            self.runtimeDirectory = runtimeDirectory
            self.consoleEngine = consoleEngine
            self.acceleration = acceleration
            self.arguments = arguments
        }
    }

    let handle: Handle
    private let server: Server?

    /// Makes a context and starts its thread.
    public init(_ options: Options = Options(), dispatching: Dispatching = .ownQueue) throws(UtmError) {
        let raw = try Arena.with { (arena) throws(UtmError) -> OpaquePointer in
            var c = UtmContextOptions()
            c.size = MemoryLayout<UtmContextOptions>.size
            c.qemu_dirs = arena.strings(options.qemuDirectories)
            c.firmware_dirs = arena.strings(options.firmwareDirectories)
            c.runtime_dir = arena.string(options.runtimeDirectory)
            c.console_engine = arena.string(options.consoleEngine)
            c.accel_policy = options.acceleration.rawValue
            c.argument_policy = options.arguments.rawValue
            var error: OpaquePointer?
            guard let made = utm_context_new(&c, &error) else { throw UtmError(taking: error, code: utm_error_get_code(error)) }
            return made
        }
        handle = Handle(raw)
        switch dispatching {
        case .ownQueue: server = Server(handle, on: DispatchQueue(label: "utm.context"))
        case .mainQueue: server = Server(handle, on: .main)
        case .queue(let queue): server = Server(handle, on: queue)
        case .manual: server = nil
        }
    }

    deinit {
        server?.stop()
        utm_context_unref(handle.raw)
    }

    private static let sharedResult: Result<Context, UtmError> = Result { () throws(UtmError) in try Context() }

    /// The context that is used where none is given; made at the first use, with all defaults.
    public static func shared() throws(UtmError) -> Context {
        try sharedResult.get()
    }

    static func given(_ context: Context?) throws(UtmError) -> Context {
        if let context {
            return context
        }
        return try shared()
    }

    /// Sets who is told what the library does. The function runs where events are served.
    public func setLogHandler(
        level: LogLevel = .info, _ handler: (@Sendable (_ level: LogLevel, _ message: String) -> Void)?
    ) {
        guard let handler else {
            utm_context_set_log_handler(handle.raw, LogLevel.none.rawValue, nil, nil, nil)
            return
        }
        utm_context_set_log_handler(
            handle.raw, level.rawValue,
            { _, level, message, data in
                Box<@Sendable (LogLevel, String) -> Void>.value(data)(LogLevel(rawValue: level) ?? .debug, text(message) ?? "")
            }, Box.retained(handler), releaseBox)
    }

    // MARK: - For programs that dispatch by themselves

    /// Readable when there is something to dispatch. It belongs to the context: neither read nor close it.
    public var fileDescriptor: Int32 {
        utm_context_get_fd(handle.raw)
    }

    /// Serves the events that wait, and tells how many there were.
    ///
    /// Throws ``UtmError/Code/invalidState`` when somebody else is at it, as in a context that is not
    /// ``Dispatching/manual``, or inside a handler.
    @discardableResult
    public func dispatch(atMost limit: Int = 0) throws(UtmError) -> Int {
        let result = utm_context_dispatch(handle.raw, CInt(clamping: limit))
        if result < 0 {
            throw UtmError(taking: nil, code: result)
        }
        return Int(result)
    }

    /// Waits until there is something to serve, and serves it. 0 when the time is over.
    @available(*, noasync, message: "it blocks the thread")
    @discardableResult
    public func wait(timeout: Timeout = .never) throws(UtmError) -> Int {
        let result = utm_context_wait(handle.raw, CInt(clamping: timeout.parameter(standard: -1)))
        if result < 0 {
            throw UtmError(taking: nil, code: result)
        }
        return Int(result)
    }

    /// Sets what is called when events arrive, for loops that cannot watch a descriptor. It may run on any thread, and must
    /// only wake the loop.
    public func setWakeup(_ function: (@Sendable () -> Void)?) throws(UtmError) {
        let result: CInt
        if let function {
            result = utm_context_set_wakeup(
                handle.raw, { data in Box<@Sendable () -> Void>.value(data)() }, Box.retained(function), releaseBox)
        } else {
            result = utm_context_set_wakeup(handle.raw, nil, nil, nil)
        }
        if result < 0 {
            throw UtmError(taking: nil, code: result)
        }
    }
}

/// Dispatches a context whenever its descriptor becomes readable.
///
/// The source watches a duplicate of the descriptor: a dispatch source must not outlive what it watches, and is cancelled at
/// leisure, while the context ends when its last reference goes.
private final class Server: Sendable {
    private let context: Protected<Handle?>
    private let source: any DispatchSourceRead

    init(_ handle: Handle, on queue: DispatchQueue) {
        let descriptor = fcntl(utm_context_get_fd(handle.raw), F_DUPFD_CLOEXEC, 0)
        let context = Protected<Handle?>(handle)
        let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
        self.context = context
        self.source = source
        source.setEventHandler { Server.serve(context) }
        source.setCancelHandler { close(descriptor) }
        source.resume()
    }

    /// With a reference of its own, since a callback may give back the last of the others.
    private static func serve(_ context: Protected<Handle?>) {
        guard let handle = context.withLock({ handle in handle.map { Handle(utm_context_ref($0.raw)) } }) else { return }
        utm_context_dispatch(handle.raw, 0)
        utm_context_unref(handle.raw)
    }

    func stop() {
        context.withLock { $0 = nil }
        source.cancel()
    }
}

/// A Swift value as the `user_data` of a handler.
final class Box<Value> {
    private let value: Value

    private init(_ value: Value) {
        self.value = value
    }

    static func retained(_ value: Value) -> UnsafeMutableRawPointer {
        Unmanaged.passRetained(Box(value) as AnyObject).toOpaque()
    }

    static func value(_ data: UnsafeMutableRawPointer?) -> Value {
        unsafeDowncast(Unmanaged<AnyObject>.fromOpaque(data!).takeUnretainedValue(), to: Box.self).value
    }
}

/// The `free_fn` of handlers.
let releaseBox: @convention(c) (UnsafeMutableRawPointer?) -> Void = { data in
    Unmanaged<AnyObject>.fromOpaque(data!).release()
}

/// What the library is.
public enum Library {
    /// Of the C library that runs, such as `0.1.0`.
    public static var version: String {
        String(cString: utm_version_string())
    }

    /// The same as a number that compares: major * 1000000 + minor * 1000 + micro.
    public static var versionNumber: Int {
        Int(utm_version_number())
    }

    /// Something that a build of the C library may be able to do or not.
    public enum Feature: Sendable {
        case errorCode(UtmError.Code)
        /// The console engine for SPICE.
        case spice
        /// A `ConfigurationVersion` that can be read.
        case configurationVersion(Int)
        case hostOS(HostFacts.OS)
    }

    public static func supports(_ feature: Feature) -> Bool {
        switch feature {
        case .errorCode(let code):
            utm_feature_supported(UTM_FEATURE_ERROR_CODE.rawValue, UInt32(bitPattern: code.rawValue))
        case .spice: utm_feature_supported(UTM_FEATURE_CONSOLE_ENGINE.rawValue, 0)
        case .configurationVersion(let version):
            utm_feature_supported(UTM_FEATURE_CONFIG_VERSION.rawValue, UInt32(clamping: version))
        case .hostOS(let os): utm_feature_supported(UTM_FEATURE_HOST_OS.rawValue, os.rawValue)
        }
    }
}
