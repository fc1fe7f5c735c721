// SPDX-License-Identifier: LGPL-2.1-or-later
import Foundation
import Utm
import XCTest

final class T510Cancel: XCTestCase {
    /// Cancels a task a moment after it began, and says what it threw.
    private func code(
        after delay: Duration = .milliseconds(100), _ body: @escaping @Sendable () async throws -> Void
    ) async throws -> UtmError.Code? {
        let task = Task { try await body() }
        try await Task.sleep(for: delay)
        task.cancel()
        let result = try await within(15, "the cancelled task") { await task.result }
        guard case .failure(let error) = result else { return nil }
        return (error as? UtmError)?.code
    }

    func testBeforeItBegins() async throws {
        let scratch = Scratch()
        let vm = try await makeCommander(scratch, makeContext())
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            try await vm.start()
        }
        task.cancel()
        let result = await task.result
        XCTAssertThrowsError(try result.get()) { XCTAssertEqual(($0 as? UtmError)?.code, .cancelled) }
        XCTAssertEqual(vm.state, .stopped)
    }

    func testAStart() async throws {
        let scratch = Scratch()
        let vm = try await makeCommander(scratch, makeContext())
        let thrown = try await code(after: .milliseconds(30)) { try await vm.start(timeout: .seconds(60)) }
        // A fast host may have started it by then.
        XCTAssertTrue(thrown == nil || thrown == .cancelled)
        XCTAssertEqual(vm.state, thrown == nil ? .running : .stopped)
        try await vm.stop(.kill)
    }

    func testWaits() async throws {
        let scratch = Scratch()
        let vm = try await makeCommander(scratch, makeContext())
        try await vm.start(timeout: .seconds(60))
        let never = try vm.qmp.subscribe("NEVER")
        let waited = try await code { _ = try await never.next(timeout: .never) }
        XCTAssertEqual(waited, .cancelled)
        let ended = try await code { _ = try await vm.waitForEnd() }
        XCTAssertEqual(ended, .cancelled)
        // The guest hears no power button, so the wait for it is long.
        let stopped = try await code { try await vm.stop(.escalate) }
        XCTAssertEqual(stopped, .cancelled)
        XCTAssertEqual(vm.state, .running)
        try await vm.stop(.kill)
    }

    func testPictures() async throws {
        let scratch = Scratch()
        let vm = try await makePainter(scratch, makeContext(), "mode=test fps=30")
        try await vm.start(timeout: .seconds(60))
        let display = vm.displays[0]
        let waited = try await code { _ = try await display.waitForFrame(after: .max, timeout: .never) }
        XCTAssertEqual(waited, .cancelled)
        let frames = Task { for await _ in display.frames {} }
        frames.cancel()
        try await within(5, "the frames") { await frames.value }
        try await vm.stop(.kill)
    }

    func testATokenForBlockingCalls() async throws {
        let scratch = Scratch()
        let vm = try await makeCommander(scratch, makeContext())
        try await vm.start(timeout: .seconds(60))
        let token = CancelToken()
        let never = try vm.qmp.subscribe("NEVER")
        let blocked = Task.detached { try waitBlocking(never, token) }
        try await Task.sleep(for: .milliseconds(100))
        token.trigger()
        let result = try await within(10, "the blocked thread") { await blocked.result }
        XCTAssertThrowsError(try result.get()) { XCTAssertEqual(($0 as? UtmError)?.code, .cancelled) }
        try await vm.stop(.kill)
    }

    func testDeadlines() async throws {
        let scratch = Scratch()
        let vm = try await makeCommander(scratch, makeContext())
        try await vm.start(timeout: .seconds(60))
        let never = try vm.qmp.subscribe("NEVER")
        await assertThrows(.timeout) { _ = try await never.next(timeout: .milliseconds(50)) }
        try await vm.stop(.kill)
    }
}

private func waitBlocking(_ subscription: QMP.Subscription, _ token: CancelToken) throws {
    _ = try subscription.nextBlocking(timeout: .never, cancel: token)
}
