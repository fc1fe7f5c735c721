// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CUtm

/// A serial port of a machine in terminal mode.
public final class SerialPort: Sendable {
    /// Bytes that a listener may leave lying before the guest waits for it.
    static let backlogMax = 256 * 1024

    /// Counted over the serial ports in terminal mode, from 0.
    public let index: Int
    /// Not held: who has a port alone does not keep the machine running. Nil when the machine's controller is gone.
    private let machine: Protected<Handle?>
    private let listeners = Protected<[ObjectIdentifier: Listener]>([:])

    init(_ machine: Handle, _ index: UInt32) {
        self.index = Int(index)
        self.machine = Protected(machine)
    }

    /// What the guest writes from now on, in pieces; what it wrote last before anybody listened comes first. The sequence ends
    /// with the machine's controller, not with its run.
    ///
    /// Nothing is lost: when a lot waits here, the guest waits too. So a sequence that is held is one to be read, and whoever
    /// has enough lets go of it.
    public var output: Output {
        let (notices, notice) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let listener = Listener(self, notice)
        // When nobody can read the sequence any more.
        notice.onTermination = { [weak self, weak listener] _ in
            if let listener { self?.leave(listener) }
        }
        let isFirst = listeners.withLock { listeners in
            listeners[ObjectIdentifier(listener)] = listener
            return listeners.count == 1
        }
        if isFirst {
            setHandler()
        }
        return Output(listener: listener, notices: notices)
    }

    /// What the guest writes, line by line. A line of more than 64 KiB is cut into several.
    public var lines: Lines { Lines(output: output) }

    /// Sends bytes, as if typed on a terminal there. Throws ``UtmError/Code/limit`` when 1 MiB waits already.
    public func write(_ bytes: [UInt8]) throws(UtmError) {
        let machine = try reference()
        defer { utm_vm_unref(machine.raw) }
        try call { error in
            bytes.withUnsafeBytes { utm_vm_serial_write(machine.raw, UInt32(index), $0.baseAddress, $0.count, error) }
        }
    }

    /// Sends text, as if typed on a terminal there.
    public func write(_ text: String) throws(UtmError) {
        try write(Array(text.utf8))
    }

    private func reference() throws(UtmError) -> Handle {
        let handle = machine.withLock { machine in machine.map { Handle(utm_vm_ref($0.raw)) } }
        guard let handle else { throw UtmError(code: .invalidState, message: "the machine's controller is gone") }
        return handle
    }

    private func setHandler() {
        guard let machine = try? reference() else { return }
        defer { utm_vm_unref(machine.raw) }
        let isHeard = listeners.withLock { !$0.isEmpty }
        guard isHeard else {
            utm_vm_set_serial_handler(machine.raw, UInt32(index), nil, nil, nil, nil)
            return
        }
        utm_vm_set_serial_handler(
            machine.raw, UInt32(index),
            { _, _, bytes, count, data in
                Box<SerialPort>.value(data).hear(Array(UnsafeRawBufferPointer(start: bytes, count: count)))
            }, Box.retained(self), releaseBox, nil)
    }

    private func hear(_ bytes: [UInt8]) {
        for listener in listeners.withLock({ Array($0.values) }) {
            listener.put(bytes)
        }
        hold()
    }

    /// The library calls the handler no more while one of the listeners has enough.
    fileprivate func hold() {
        guard let machine = try? reference() else { return }
        defer { utm_vm_unref(machine.raw) }
        // Under the lock, so that the last one to say something has looked last.
        listeners.withLock { listeners in
            let isFull = listeners.values.contains { $0.isFull }
            utm_vm_serial_hold(machine.raw, UInt32(index), isFull, nil)
        }
    }

    private func leave(_ listener: Listener) {
        let isLast = listeners.withLock { listeners in
            listeners[ObjectIdentifier(listener)] = nil
            return listeners.isEmpty
        }
        if isLast {
            setHandler()
        }
        hold()
    }

    func end() {
        machine.withLock { $0 = nil }
        for listener in listeners.withLock({ Array($0.values) }) {
            listener.finish()
        }
    }

    // MARK: - Sequences

    /// Somebody who reads. The bytes wait here; `notice` only says that there are some.
    fileprivate final class Listener: Sendable {
        private let port: SerialPort
        private let notice: AsyncStream<Void>.Continuation
        private let bytes = Protected<[UInt8]>([])

        init(_ port: SerialPort, _ notice: AsyncStream<Void>.Continuation) {
            self.port = port
            self.notice = notice
        }

        var isFull: Bool { bytes.withLock { $0.count >= SerialPort.backlogMax } }

        func put(_ more: [UInt8]) {
            bytes.withLock { $0 += more }
            notice.yield()
        }

        func take() -> [UInt8] {
            let taken = bytes.withLock { bytes in
                defer { bytes = [] }
                return bytes
            }
            if taken.count >= SerialPort.backlogMax {
                port.hold()
            }
            return taken
        }

        func finish() {
            notice.finish()
        }
    }

    /// See ``SerialPort/output``.
    public struct Output: AsyncSequence, Sendable {
        public typealias Element = [UInt8]

        fileprivate let listener: Listener
        fileprivate let notices: AsyncStream<Void>

        public struct Iterator: AsyncIteratorProtocol {
            fileprivate let listener: Listener
            fileprivate var notices: AsyncStream<Void>.Iterator

            public mutating func next(isolation actor: isolated (any Actor)?) async -> [UInt8]? {
                repeat {
                    let bytes = listener.take()
                    if !bytes.isEmpty {
                        return bytes
                    }
                } while await notices.next(isolation: actor) != nil
                let rest = listener.take()
                return rest.isEmpty ? nil : rest
            }

            public mutating func next() async -> [UInt8]? {
                await next(isolation: nil)
            }
        }

        public func makeAsyncIterator() -> Iterator {
            Iterator(listener: listener, notices: notices.makeAsyncIterator())
        }
    }

    /// See ``SerialPort/lines``.
    public struct Lines: AsyncSequence, Sendable {
        public typealias Element = String

        fileprivate let output: Output

        public struct Iterator: AsyncIteratorProtocol {
            fileprivate var output: Output.Iterator
            fileprivate var rest: [UInt8] = []

            public mutating func next(isolation actor: isolated (any Actor)?) async -> String? {
                while true {
                    if let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                        return cut(end, 1)
                    }
                    if rest.count >= 64 * 1024 {
                        return cut(rest.count, 0)
                    }
                    guard let more = await output.next(isolation: actor) else {
                        return rest.isEmpty ? nil : cut(rest.count, 0)
                    }
                    rest += more
                }
            }

            public mutating func next() async -> String? {
                await next(isolation: nil)
            }

            private mutating func cut(_ end: Int, _ skip: Int) -> String {
                defer { rest.removeFirst(end + skip) }
                let line = rest[..<end].last == UInt8(ascii: "\r") ? rest[..<(end - 1)] : rest[..<end]
                return String(decoding: line, as: UTF8.self)
            }
        }

        public func makeAsyncIterator() -> Iterator {
            Iterator(output: output.makeAsyncIterator())
        }
    }
}
