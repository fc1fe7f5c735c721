// SPDX-License-Identifier: LGPL-2.1-or-later
//
// From handlers, of which C has one for each object, to any number of sequences.

/// Passes what a handler gets on to whoever listens. Each listener has a bound of its own; one that does not keep up loses the
/// newest, and the next thing that it gets says how many.
final class Hub<Element: Sendable>: Sendable {
    private struct Listener {
        let continuation: AsyncStream<Element>.Continuation
        var dropped: UInt64 = 0
    }

    private struct State {
        var listeners: [Int: Listener] = [:]
        var last = 0
        var isFinished = false
    }

    private let state = Protected(State())

    /// A sequence of what comes from now on.
    func listen(_ limit: AsyncStream<Element>.Continuation.BufferingPolicy) -> AsyncStream<Element> {
        let (stream, continuation) = AsyncStream.makeStream(of: Element.self, bufferingPolicy: limit)
        let number = state.withLock { state -> Int? in
            guard !state.isFinished else { return nil }
            state.last += 1
            state.listeners[state.last] = Listener(continuation: continuation)
            return state.last
        }
        guard let number else {
            continuation.finish()
            return stream
        }
        continuation.onTermination = { [weak self] _ in self?.leave(number) }
        return stream
    }

    private func leave(_ number: Int) {
        // The lock is not held while the listener goes: its end may run anything.
        let gone = state.withLock { $0.listeners.removeValue(forKey: number) }
        withExtendedLifetime(gone) {}
    }

    /// `make` gets the number that the listener has lost.
    func send(_ make: (UInt64) -> Element) {
        state.withLock { state in
            for (number, listener) in state.listeners {
                switch listener.continuation.yield(make(listener.dropped)) {
                case .enqueued: state.listeners[number]?.dropped = 0
                case .dropped: state.listeners[number]?.dropped += 1
                default: break
                }
            }
        }
    }

    /// Ends all sequences that there are; others may begin unless it is for ever.
    func finish(forEver: Bool) {
        let gone = state.withLock { state in
            defer { state.listeners = [:] }
            state.isFinished = state.isFinished || forEver
            return state.listeners.values.map(\.continuation)
        }
        for continuation in gone {
            continuation.finish()
        }
    }
}
