// SPDX-License-Identifier: LGPL-2.1-or-later
import Foundation
import Utm
import XCTest

final class T100Handle: XCTestCase {
    func testVersion() {
        XCTAssertTrue(Library.version.hasPrefix("0."))
        XCTAssertGreaterThan(Library.versionNumber, 0)
        XCTAssertTrue(Library.supports(.configurationVersion(4)))
        XCTAssertTrue(Library.supports(.errorCode(.bundlePathEscape)))
        XCTAssertFalse(Library.supports(.errorCode(.init(rawValue: -9999))))
    }

    func testContextsComeAndGo() throws {
        for _ in 0..<20 {
            let context = try makeContext()
            XCTAssertGreaterThanOrEqual(context.fileDescriptor, 0)
        }
    }

    func testSharedContextIsOne() throws {
        XCTAssertTrue(try Context.shared() === Context.shared())
    }

    func testManualContextWaits() throws {
        let context = try makeContext(.manual)
        XCTAssertEqual(try context.wait(timeout: .milliseconds(1)), 0)
        XCTAssertEqual(try context.dispatch(), 0)
    }

    func testWakeupComesAndGoes() async throws {
        let context = try makeContext(.manual)
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        try context.setWakeup { continuation.yield() }
        let query = Task { try await Hardware.query("x86_64", in: context) }
        try await within(20, "the wakeup") { for await _ in stream { return } }
        while query.isCancelled == false, try context.dispatch() == 0 {
            try await Task.sleep(for: .milliseconds(5))
        }
        _ = try await query.value
        try context.setWakeup(nil)
    }

    func testLogReachesItsHandler() async throws {
        let scratch = Scratch()
        let context = try makeContext()
        let (stream, continuation) = AsyncStream.makeStream(of: String.self)
        context.setLogHandler(level: .debug) { _, message in continuation.yield(message) }
        // A recording that is not what it says.
        let session = try scratch.write("session.jsonl", replayedSession)
        let qmp = try await QMP.connect(replaying: session, in: context)
        await assertThrows(.qmpCommand) { _ = try await qmp.execute("not-recorded") }
        try await within(10, "a line of the log") {
            for await line in stream where line.contains("not-recorded") { return }
        }
        context.setLogHandler(nil)
    }

    func testBundleOutlivesWhoOpenedIt() async throws {
        let scratch = Scratch()
        let made = try await { try await makeBundle(scratch, kernel: "UTM_TEST_COMMANDER", makeContext()) }()
        XCTAssertEqual(made.config.name, "Test")
        XCTAssertTrue(made.path.hasSuffix("/Test.utm"))
        XCTAssertEqual(try MachineBundle.open(made.path).config, made.config)
    }
}
