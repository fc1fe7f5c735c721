// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CUtm

/// What a person sees and touches: the displays and input devices of a machine, or of any SPICE server.
public final class Console: Sendable {
    public enum State: UInt32, Sendable, CustomStringConvertible {
        case connecting = 0
        case connected = 1
        /// The engine ended and is being started again.
        case reconnecting = 2
        /// Over.
        case closed = 3
        /// Nothing to connect to yet: the machine was never started.
        case idle = 4

        public var description: String { text(utm_console_state_get_name(rawValue)) ?? "" }
    }

    /// Something that happened.
    public struct Event: Sendable {
        public enum Kind: UInt32, Sendable, CustomStringConvertible {
            /// The state changed.
            case state = 1
            /// The engine process ended by itself; ``Event/error`` says how. A state event follows.
            case engineLost = 2
            /// A display has got a picture for the first time, or again, or has changed its size.
            case displayShown = 3
            /// A display has no picture any more.
            case displayHidden = 4
            /// The guest takes keys and pointer from now on.
            case inputReady = 5
            /// ``Console/pointerMode`` changed.
            case pointerMode = 6

            public var description: String { text(utm_console_event_kind_get_name(rawValue)) ?? "" }
        }

        public let kind: Kind
        public let state: State
        /// Which display, where it is about one.
        public let display: Int
        public let error: UtmError?
        /// Events that this listener lost since it got the last one.
        public let dropped: UInt64
    }

    /// Buttons of a pointer.
    public struct Buttons: OptionSet, Sendable, Hashable {
        public let rawValue: UInt32

        public init(rawValue: UInt32) {
            self.rawValue = rawValue
        }

        public static let left = Buttons(rawValue: 1 << 0)
        public static let middle = Buttons(rawValue: 1 << 1)
        public static let right = Buttons(rawValue: 1 << 2)
        public static let wheelUp = Buttons(rawValue: 1 << 3)
        public static let wheelDown = Buttons(rawValue: 1 << 4)
        public static let side = Buttons(rawValue: 1 << 5)
        public static let extra = Buttons(rawValue: 1 << 6)
    }

    /// Where the pointer's position comes from.
    public enum PointerMode: UInt32, Sendable {
        /// The guest moves it by relative motion: ``Console/movePointer(byX:y:buttons:)``.
        case server = 0
        /// The application says where it is: ``Console/movePointer(toX:y:display:buttons:)``.
        case client = 1
    }

    let handle: Handle
    private let context: Context
    private let hub = Hub<Event>()
    private let made: DisplayTable

    init(taking raw: OpaquePointer, _ context: Context) {
        handle = Handle(raw)
        self.context = context
        made = DisplayTable()
        let target = Target(hub: hub, displays: made)
        utm_console_set_event_handler(
            raw, { _, event, data in Box<Target>.value(data).hear(event!.pointee) }, Box.retained(target), releaseBox)
    }

    deinit {
        utm_console_set_event_handler(handle.raw, nil, nil, nil)
        hub.finish(forEver: true)
        made.end(forEver: true)
        utm_console_unref(handle.raw)
    }

    private struct Target: Sendable {
        let hub: Hub<Event>
        let displays: DisplayTable

        func hear(_ c: UtmConsoleEvent) {
            let state = State(rawValue: c.state) ?? .closed
            if let kind = Event.Kind(rawValue: c.kind) {
                let error = UtmError.of(c.error)
                hub.send { Event(kind: kind, state: state, display: Int(c.display), error: error, dropped: $0) }
            }
            if c.kind == Event.Kind.state.rawValue, state == .closed {
                displays.end()
            }
        }
    }

    /// Connects to a SPICE server's unix socket, no matter who started the server.
    ///
    /// - Parameters:
    ///   - password: Of the server's ticket.
    ///   - timeout: Until the server has answered; ``Timeout/standard`` is 15 s.
    public static func connect(
        path: String, password: String? = nil, timeout: Timeout = .standard, in context: Context? = nil
    ) async throws(UtmError) -> Console {
        let context = try Context.given(context)
        return try await offload { (cancel) throws(UtmError) in
            let arena = Arena()
            defer { withExtendedLifetime(arena) {} }
            var c = UtmConsoleOptions()
            c.size = MemoryLayout<UtmConsoleOptions>.size
            c.timeout_ms = timeout.option
            c.cancel = cancel.handle.raw
            c.password = arena.string(password)
            return Console(taking: try make { utm_console_connect_path(context.handle.raw, path, &c, $0, $1) }, context)
        }
    }

    /// Closes the connection and ends the engine. Frames stay valid.
    public func close() {
        utm_console_close(handle.raw)
    }

    public var state: State { State(rawValue: utm_console_get_state(handle.raw)) ?? .closed }
    /// Process id of the engine, for diagnosis.
    public var enginePID: Int64? {
        let pid = utm_console_get_engine_pid(handle.raw)
        return pid < 0 ? nil : pid
    }

    /// What happens from now on. At most `limit` events wait; then the newest are dropped, and the next one tells how many.
    public func events(limit: Int = 1024) -> AsyncStream<Event> {
        hub.listen(.bufferingOldest(limit))
    }

    /// A display, by the number of its SPICE channel, 0 to 15. It need not show anything yet.
    public func display(_ index: Int) -> Display? {
        guard let raw = utm_console_get_display(handle.raw, UInt32(clamping: index)) else { return nil }
        return made.display(index, raw, context)
    }

    // MARK: - Input

    /// Presses or releases a key. What is still pressed is released when the console closes.
    ///
    /// - Parameter scancode: PC AT set 1 code, 1 to 0x7f; codes with the prefix E0 as 0x100 + code.
    public func sendKey(_ scancode: UInt32, pressed: Bool) throws(UtmError) {
        try call { utm_console_send_key(handle.raw, scancode, pressed, $0) }
    }

    /// Presses and releases a key.
    public func typeKey(_ scancode: UInt32) throws(UtmError) {
        try sendKey(scancode, pressed: true)
        try sendKey(scancode, pressed: false)
    }

    /// Moves the pointer to a position; in ``PointerMode/client`` only.
    public func movePointer(toX x: Int, y: Int, display: Int = 0, buttons: Buttons = []) throws(UtmError) {
        try call {
            utm_console_move_pointer(
                handle.raw, UInt32(clamping: display), Int32(clamping: x), Int32(clamping: y), buttons.rawValue, $0)
        }
    }

    /// Moves the pointer by a distance; in ``PointerMode/server`` only.
    public func movePointer(byX x: Int, y: Int, buttons: Buttons = []) throws(UtmError) {
        try call {
            utm_console_move_pointer_by(handle.raw, Int32(clamping: x), Int32(clamping: y), buttons.rawValue, $0)
        }
    }

    /// Presses or releases one button of the pointer.
    ///
    /// - Parameter held: All that are pressed, after this.
    public func sendButton(_ button: Buttons, pressed: Bool, held: Buttons) throws(UtmError) {
        try call { utm_console_send_button(handle.raw, button.rawValue, pressed, held.rawValue, $0) }
    }

    public var pointerMode: PointerMode { PointerMode(rawValue: utm_console_get_pointer_mode(handle.raw)) ?? .server }
}
