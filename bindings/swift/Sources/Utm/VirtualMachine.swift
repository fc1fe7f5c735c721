// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CUtm

/// Why a machine ended.
public struct EndReason: Sendable, Hashable, CustomStringConvertible {
    public enum Kind: UInt32, Sendable, CustomStringConvertible {
        /// The guest powered itself off, or followed the power button.
        case guestShutdown = 1
        /// The guest reset and QEMU was told not to reboot.
        case guestReset = 2
        /// The guest's kernel panicked.
        case guestPanic = 3
        /// A forced stop, or QEMU's `quit` by somebody else.
        case quit = 4
        /// A stop that kills.
        case killed = 5
        /// The machine never ran: the start failed or was cancelled.
        case startFailed = 6
        /// QEMU ended on its own, with an exit status.
        case qemuExited = 7
        /// A signal that was not ours ended QEMU.
        case qemuSignalled = 8

        /// Such as `guest-shutdown`.
        public var description: String { text(utm_end_kind_get_name(rawValue)) ?? "" }
    }

    public let kind: Kind
    /// One line for people.
    public let description: String
    /// The reason that QEMU's `SHUTDOWN` event gave.
    public let qemuReason: String?
    /// QEMU's; nil when a signal ended it or it never ran.
    public let exitStatus: Int32?
    /// That ended QEMU.
    public let signal: Int32?
    /// The last lines QEMU wrote to its standard error.
    public let stderrTail: String?
    /// Of a failed start.
    public let error: UtmError?

    init(_ raw: OpaquePointer) {
        kind = Kind(rawValue: utm_end_reason_get_kind(raw)) ?? .qemuExited
        description = text(utm_end_reason_get_text(raw)) ?? ""
        qemuReason = text(utm_end_reason_get_qemu_reason(raw))
        let status = utm_end_reason_get_exit_status(raw)
        exitStatus = status < 0 ? nil : status
        let signal = utm_end_reason_get_signal(raw)
        self.signal = signal == 0 ? nil : signal
        stderrTail = text(utm_end_reason_get_stderr_tail(raw))
        error = UtmError.of(utm_end_reason_get_error(raw))
    }
}

/// The controller of one machine. State is what QEMU says, never what was last asked for, and a machine that was started always
/// ends with a reason.
///
/// When the last reference goes, a machine that still runs is killed: stop it first.
public final class VirtualMachine: Sendable {
    /// Where a machine is in its life.
    public enum State: UInt32, Sendable, CustomStringConvertible {
        case stopped = 0
        case starting = 1
        /// The guest runs.
        case running = 2
        case pausing = 3
        /// QEMU runs, the guest stands still.
        case paused = 4
        case resuming = 5
        case saving = 6
        case restoring = 7
        case stopping = 8

        /// Such as `running`.
        public var description: String { text(utm_vm_state_get_name(rawValue)) ?? "" }
    }

    /// How to stop a machine.
    public enum StopMethod: UInt32, Sendable {
        /// Press the power button and leave the rest to the guest. Done when QEMU has passed it on.
        case request = 0
        /// Have QEMU quit. The guest loses what it did not write.
        case force = 1
        /// Kill QEMU.
        case kill = 2
        /// Request, after its deadline force, after its deadline kill. Done when QEMU is gone.
        case escalate = 3
    }

    /// What a start does besides starting.
    public struct StartOptions: OptionSet, Sendable, Hashable {
        public let rawValue: UInt32

        public init(rawValue: UInt32) {
            self.rawValue = rawValue
        }

        /// Changes to disks, UEFI variables and the TPM are thrown away at the end.
        public static let disposable = StartOptions(rawValue: 1 << 0)
        /// The guest stands still: the state becomes paused.
        public static let paused = StartOptions(rawValue: 1 << 1)
        /// Additional arguments are allowed this time, whatever the context's policy says.
        public static let allowArguments = StartOptions(rawValue: 1 << 2)
    }

    /// A tap that the application has opened, for one network of the configuration.
    public struct NetworkDescriptor: Sendable, Hashable {
        /// Which element of `Network`.
        public var index: Int
        /// It stays the caller's, who may close it when the start has returned.
        public var fileDescriptor: Int32

        public init(index: Int, fileDescriptor: Int32) {
            self.index = index
            self.fileDescriptor = fileDescriptor
        }
    }

    /// Something that happened.
    public struct Event: Sendable {
        public enum Kind: Sendable {
            /// The state changed.
            case state(from: State, to: State)
            /// The machine ended.
            case ended(EndReason?)
            /// An event of QEMU's; `data` is JSON.
            case qmp(name: String, data: String?)
            /// Something that the configuration asks for and this host does not give.
            case warning(String)
            /// A line that QEMU or the TPM's process wrote to its standard error.
            case log(String)
            /// Something that this package does not know.
            case other(UInt32)

            /// Such as `ended`, as the library calls it.
            public var name: String {
                let number: UInt32 =
                    switch self {
                    case .state: UTM_VM_EVENT_STATE.rawValue
                    case .ended: UTM_VM_EVENT_ENDED.rawValue
                    case .qmp: UTM_VM_EVENT_QMP.rawValue
                    case .warning: UTM_VM_EVENT_WARNING.rawValue
                    case .log: UTM_VM_EVENT_LOG.rawValue
                    case .other(let number): number
                    }
                return text(utm_vm_event_kind_get_name(number)) ?? "event \(number)"
            }
        }

        public let kind: Kind
        /// At the time of the event.
        public let state: State
        /// Events that this listener lost since it got the last one.
        public let dropped: UInt64
    }

    let handle: Handle
    public let bundle: MachineBundle
    /// The machine's screens and input devices. It is idle before the first start.
    public let console: Console
    /// One for each display of the configuration.
    public let displays: [Display]
    /// Serial ports in terminal mode.
    public let serialPorts: [SerialPort]
    private let hub: Hub<Event>

    /// Makes the controller of a bundle's machine. The configuration is copied.
    public init(_ bundle: MachineBundle) throws(UtmError) {
        let raw = try make { utm_vm_new(bundle.handle.raw, $0, $1) }
        let context = bundle.context
        let hub = Hub<Event>()
        handle = Handle(raw)
        self.bundle = bundle
        self.hub = hub
        console = Console(taking: utm_console_ref(utm_vm_get_console(raw)), context)
        displays = (0..<UInt32.max).prefix { utm_vm_get_display(raw, $0) != nil }.map { [console] index in
            console.display(Int(index))!
        }
        serialPorts = (0..<utm_vm_get_serial_count(raw)).map { SerialPort(Handle(raw), $0) }
        utm_vm_set_event_handler(
            raw, { vm, event, data in Box<Hub<Event>>.value(data).hear(vm!, event!.pointee) }, Box.retained(hub), releaseBox)
    }

    deinit {
        hub.finish(forEver: true)
        for port in serialPorts {
            port.end()
        }
        utm_vm_unref(handle.raw)
    }

    // MARK: - What it is

    /// The configuration in use.
    public var config: Config { Config(sharing: utm_vm_get_config(handle.raw)) }
    /// The state now; events of it may still be on their way.
    public var state: State { State(rawValue: utm_vm_get_state(handle.raw)) ?? .stopped }
    /// Of QEMU, while it runs.
    public var pid: Int64? {
        let pid = utm_vm_get_pid(handle.raw)
        return pid < 0 ? nil : pid
    }

    /// Why the machine ended the last time; nil before its first end and while it runs.
    public var endReason: EndReason? {
        utm_vm_get_end_reason(handle.raw).map { EndReason($0) }
    }

    /// The monitor connection. Throws ``UtmError/Code/invalidState`` unless QEMU runs.
    public var qmp: QMP {
        get throws(UtmError) {
            guard let raw = utm_vm_get_qmp(handle.raw) else {
                throw UtmError(code: .invalidState, message: "the machine does not run, so it has no monitor")
            }
            return QMP(taking: utm_qmp_ref(raw), bundle.context)
        }
    }

    // MARK: - Life

    /// Starts the machine and waits until the guest runs, or stands still. On failure nothing is left behind.
    ///
    /// - Parameters:
    ///   - timeout: ``Timeout/standard`` is 60 s.
    ///   - host: Facts to use instead of those that the library finds out.
    ///   - networks: Taps for networks of the configuration.
    public func start(
        _ options: StartOptions = [], timeout: Timeout = .standard, host: HostFacts? = nil, networks: [NetworkDescriptor] = []
    ) async throws(UtmError) {
        defer { withExtendedLifetime(host) {} }
        try await complete { cancel, data, error in
            VirtualMachine.with(options, timeout, host, networks, cancel) {
                utm_vm_start_async(handle.raw, $0, finishWaiting, data, Pending.free, error)
            }
        }
    }

    fileprivate static func with(
        _ options: StartOptions, _ timeout: Timeout, _ host: HostFacts?, _ networks: [NetworkDescriptor],
        _ cancel: OpaquePointer?, _ body: (UnsafePointer<UtmVmStartOptions>) -> CInt
    ) -> CInt {
        let descriptors = networks.map { UtmVmNetworkFd(index: UInt32(clamping: $0.index), fd: $0.fileDescriptor) }
        return descriptors.withUnsafeBufferPointer { descriptors in
            var c = UtmVmStartOptions()
            c.size = MemoryLayout<UtmVmStartOptions>.size
            c.flags = options.rawValue
            c.timeout_ms = timeout.option
            c.cancel = cancel
            c.host = host?.handle.raw
            c.network_fds = descriptors.isEmpty ? nil : descriptors.baseAddress
            c.network_fd_count = descriptors.count
            return body(&c)
        }
    }

    /// Stops the machine. Of a stopped machine all methods but ``StopMethod/request`` succeed at once.
    ///
    /// - Parameters:
    ///   - requestTimeout: How long the guest may take to follow a request before an escalation goes on; 30 s.
    ///   - forceTimeout: How long QEMU may take to quit; 5 s.
    public func stop(
        _ method: StopMethod = .escalate, requestTimeout: Timeout = .standard, forceTimeout: Timeout = .standard
    ) async throws(UtmError) {
        try await complete { cancel, data, error in
            var c = VirtualMachine.stopOptions(requestTimeout, forceTimeout, cancel)
            return utm_vm_stop_async(handle.raw, method.rawValue, &c, finishWaiting, data, Pending.free, error)
        }
    }

    fileprivate static func stopOptions(_ request: Timeout, _ force: Timeout, _ cancel: OpaquePointer?) -> UtmVmStopOptions {
        var c = UtmVmStopOptions()
        c.size = MemoryLayout<UtmVmStopOptions>.size
        c.request_timeout_ms = request.option
        c.force_timeout_ms = force.option
        c.cancel = cancel
        return c
    }

    /// Has the guest stand still, and waits for it. Nothing cancels the call; it takes 20 s at most.
    public func pause() async throws(UtmError) {
        try await complete { _, data, error in utm_vm_pause_async(handle.raw, finishWaiting, data, Pending.free, error) }
    }

    /// Has the guest go on. Nothing cancels the call.
    public func resume() async throws(UtmError) {
        try await complete { _, data, error in utm_vm_resume_async(handle.raw, finishWaiting, data, Pending.free, error) }
    }

    /// Resets the guest as its reset button would. Nothing cancels the call.
    public func reset() async throws(UtmError) {
        try await complete { _, data, error in utm_vm_reset_async(handle.raw, finishWaiting, data, Pending.free, error) }
    }

    /// The calls above for programs without tasks: they block the thread, and a ``CancelToken`` gives them up.
    public var blocking: Blocking { Blocking(vm: self) }

    /// See ``VirtualMachine/blocking``.
    public struct Blocking: Sendable {
        fileprivate let vm: VirtualMachine

        /// As ``VirtualMachine/start(_:timeout:host:networks:)``, blocking the thread.
        @available(*, noasync)
        public func start(
            _ options: StartOptions = [], timeout: Timeout = .standard, host: HostFacts? = nil,
            networks: [NetworkDescriptor] = [], cancel: CancelToken? = nil
        ) throws(UtmError) {
            defer { withExtendedLifetime((host, cancel)) {} }
            try call { error in
                VirtualMachine.with(options, timeout, host, networks, cancel?.handle.raw) { utm_vm_start(vm.handle.raw, $0, error) }
            }
        }

        /// As ``VirtualMachine/stop(_:requestTimeout:forceTimeout:)``, blocking the thread.
        @available(*, noasync)
        public func stop(
            _ method: StopMethod = .escalate, requestTimeout: Timeout = .standard, forceTimeout: Timeout = .standard,
            cancel: CancelToken? = nil
        ) throws(UtmError) {
            defer { withExtendedLifetime(cancel) {} }
            var c = VirtualMachine.stopOptions(requestTimeout, forceTimeout, cancel?.handle.raw)
            try call { utm_vm_stop(vm.handle.raw, method.rawValue, &c, $0) }
        }

        /// As ``VirtualMachine/pause()``, blocking the thread.
        @available(*, noasync)
        public func pause() throws(UtmError) {
            try call { utm_vm_pause(vm.handle.raw, $0) }
        }

        /// As ``VirtualMachine/resume()``, blocking the thread.
        @available(*, noasync)
        public func resume() throws(UtmError) {
            try call { utm_vm_resume(vm.handle.raw, $0) }
        }

        /// As ``VirtualMachine/reset()``, blocking the thread.
        @available(*, noasync)
        public func reset() throws(UtmError) {
            try call { utm_vm_reset(vm.handle.raw, $0) }
        }
    }

    // MARK: - What happens

    /// What happens from now on: call it before ``start(_:timeout:host:networks:)``. At most `limit` events wait; then the
    /// newest are dropped, and the next one tells how many. The sequence goes on over restarts, and ends with the machine's last
    /// reference.
    public func events(limit: Int = 1024) -> AsyncStream<Event> {
        hub.listen(.bufferingOldest(limit))
    }

    /// Waits until the machine has ended, and tells why. Throws ``UtmError/Code/invalidState`` when it was never started.
    public func waitForEnd() async throws(UtmError) -> EndReason {
        let events = events()
        if state != .stopped {
            for await event in events {
                if case .ended(let reason?) = event.kind {
                    return reason
                }
            }
        }
        if Task.isCancelled {
            throw UtmError(code: .cancelled, message: "the wait for the machine's end was cancelled")
        }
        guard let reason = endReason else {
            throw UtmError(code: .invalidState, message: "the machine has not ended")
        }
        return reason
    }
}

/// The end of the asynchronous calls of a machine.
private let finishWaiting: @convention(c) (OpaquePointer?, OpaquePointer?, UnsafeMutableRawPointer?) -> Void = {
    _, error, data in Waiting<Void>.from(data).finish(error) {}
}

extension Hub<VirtualMachine.Event> {
    fileprivate func hear(_ vm: OpaquePointer, _ c: UtmVmEvent) {
        typealias State = VirtualMachine.State
        let state = State(rawValue: c.state) ?? .stopped
        let text = text(c.text) ?? ""
        let kind: VirtualMachine.Event.Kind =
            switch UtmVmEventKind(rawValue: c.kind) {
            case UTM_VM_EVENT_STATE: .state(from: State(rawValue: c.old_state) ?? .stopped, to: state)
            case UTM_VM_EVENT_ENDED: .ended(utm_vm_get_end_reason(vm).map { EndReason($0) })
            case UTM_VM_EVENT_QMP: .qmp(name: text, data: Utm.text(c.json))
            case UTM_VM_EVENT_WARNING: .warning(text)
            case UTM_VM_EVENT_LOG: .log(text)
            default: .other(c.kind)
            }
        send { VirtualMachine.Event(kind: kind, state: state, dropped: c.dropped + $0) }
    }
}
