// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How `async` functions sit on C. Those with an `_async` form in C are resumed from the dispatch of their context;
// those that only block in C work on a queue of the package's own, never on a thread of Swift's pool.
internal import CUtm
internal import Dispatch

/// Lets another thread give up calls that block. A task needs none: cancelling it cancels the calls that it awaits.
public final class CancelToken: Sendable {
    let handle: Handle

    /// A token that was not triggered.
    public init() {
        handle = Handle(utm_cancel_new())
    }

    deinit {
        utm_cancel_unref(handle.raw)
    }

    /// Ends every call that has the token, now and later, with ``UtmError/Code/cancelled``. It cannot be undone.
    public func trigger() {
        utm_cancel_trigger(handle.raw)
    }
}

/// How far a long call has come. Give one to the call, and look at it as often as a bar is drawn.
public final class OperationProgress: Sendable {
    let handle: Handle

    public init() {
        handle = Handle(utm_progress_new())
    }

    deinit {
        utm_progress_unref(handle.raw)
    }

    /// Bytes dealt with and bytes in all, both 0 before the call has begun to work.
    public var bytes: (done: UInt64, total: UInt64) {
        var done: UInt64 = 0, total: UInt64 = 0
        utm_progress_get(handle.raw, &done, &total)
        return (done, total)
    }

    /// From 0 to 1; nil before the call has begun to work.
    public var fraction: Double? {
        let (done, total) = bytes
        return total == 0 ? nil : Double(done) / Double(total)
    }
}

/// How long a call may take.
public enum Timeout: Sendable, Hashable {
    /// What the library thinks fit for the call.
    case standard
    /// No limit.
    case never
    /// So long.
    case after(Duration)

    /// A number of seconds.
    public static func seconds(_ seconds: Double) -> Timeout {
        .after(.seconds(seconds))
    }

    /// A number of milliseconds.
    public static func milliseconds(_ milliseconds: Int) -> Timeout {
        .after(.milliseconds(milliseconds))
    }

    /// For options, where 0 is the default. A time of none becomes the shortest that is one.
    var option: Int64 {
        switch self {
        case .standard: 0
        case .never: -1
        case .after(let duration): max(1, duration.milliseconds)
        }
    }

    /// For parameters, where 0 does not wait.
    func parameter(standard: Int64) -> Int64 {
        switch self {
        case .standard: standard
        case .never: -1
        case .after(let duration): max(0, duration.milliseconds)
        }
    }
}

extension Duration {
    var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        return overflow ? (seconds < 0 ? 0 : .max) : whole + attoseconds / 1_000_000_000_000_000
    }
}

/// A task that waits for a callback. The library owns a reference as its `user_data`, which `free_fn` gives back.
class Pending {
    /// The library has let go of it. What was not answered by now will never be.
    func abandon() {}

    static let free: @convention(c) (UnsafeMutableRawPointer?) -> Void = { data in
        Unmanaged<Pending>.fromOpaque(data!).takeRetainedValue().abandon()
    }
}

final class Waiting<Value: Sendable>: Pending {
    private struct State {
        var continuation: CheckedContinuation<Result<Value, UtmError>, Never>?
        /// The call that submits it has not returned: if it fails, it calls `free_fn`, and has a better error.
        var isSubmitting = true
    }

    private let state: Protected<State>

    init(_ continuation: CheckedContinuation<Result<Value, UtmError>, Never>) {
        state = Protected(State(continuation: continuation))
    }

    static func from(_ data: UnsafeMutableRawPointer?) -> Waiting {
        // The class is that of `perform`, a few lines above each use.
        unsafeDowncast(Unmanaged<Pending>.fromOpaque(data!).takeUnretainedValue(), to: Waiting.self)
    }

    /// The answer, in a callback.
    func finish(_ error: OpaquePointer?, _ value: () -> Value) {
        resume(UtmError.of(error).map { .failure($0) } ?? .success(value()))
    }

    func submitted(_ error: UtmError?) {
        state.withLock { $0.isSubmitting = false }
        if let error {
            resume(.failure(error))
        }
    }

    override func abandon() {
        if state.withLock({ !$0.isSubmitting }) {
            resume(.failure(UtmError(code: .cancelled, message: "the object of the call went away")))
        }
    }

    private func resume(_ result: Result<Value, UtmError>) {
        let continuation = state.withLock { state in
            defer { state.continuation = nil }
            return state.continuation
        }
        continuation?.resume(returning: result)
    }
}

/// Starts a call that ends in a callback, and waits for that. `submit` gets the token of the task's cancellation, the
/// `user_data` and where errors go; its callback says `Waiting<Value>.from(data).finish(...)`.
func perform<Value: Sendable>(
    isolation: isolated (any Actor)? = #isolation,
    _ submit: (OpaquePointer, UnsafeMutableRawPointer, ErrorOut) -> CInt
) async throws(UtmError) -> Value {
    let cancel = CancelToken()
    let result: Result<Value, UtmError> = await withTaskCancellationHandler {
        await withCheckedContinuation { continuation in
            let waiting = Waiting<Value>(continuation)
            let data = Unmanaged.passRetained(waiting as Pending).toOpaque()
            var error: OpaquePointer?
            let code = submit(cancel.handle.raw, data, &error)
            waiting.submitted(code < 0 ? UtmError(taking: error, code: code) : nil)
        }
    } onCancel: {
        cancel.trigger()
    }
    return try result.get()
}

/// `perform` for calls that give nothing.
func complete(
    isolation: isolated (any Actor)? = #isolation,
    _ submit: (OpaquePointer, UnsafeMutableRawPointer, ErrorOut) -> CInt
) async throws(UtmError) {
    let _: Void = try await perform(isolation: isolation, submit)
}

private let blockingQueue = DispatchQueue(label: "utm.blocking", attributes: .concurrent)

/// Has a call that only blocks in C wait on a thread that is no one's, and cancels it with the task.
func offload<Value: Sendable>(
    isolation: isolated (any Actor)? = #isolation,
    _ work: @escaping @Sendable (CancelToken) throws(UtmError) -> Value
) async throws(UtmError) -> Value {
    let cancel = CancelToken()
    let result: Result<Value, UtmError> = await withTaskCancellationHandler {
        await withCheckedContinuation { continuation in
            blockingQueue.async {
                do throws(UtmError) {
                    continuation.resume(returning: .success(try work(cancel)))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
    } onCancel: {
        cancel.trigger()
    }
    return try result.get()
}
