// SPDX-License-Identifier: LGPL-2.1-or-later
import Foundation
import Utm
import XCTest

final class T600Lifetime: XCTestCase {
    func testTheLastReferenceKills() async throws {
        let scratch = Scratch()
        var vm: VirtualMachine? = try await makeCommander(scratch, makeContext())
        try await vm!.start(timeout: .seconds(60))
        let pid = vm!.pid!
        XCTAssertTrue(processExists(pid))
        weak let gone = vm
        vm = nil
        XCTAssertNil(gone)
        try await within(5, "the end of QEMU") {
            while processExists(pid) { try await Task.sleep(for: .milliseconds(10)) }
        }
    }

    func testDroppedInTheMidstOfEvents() async throws {
        let scratch = Scratch()
        let holder = Holder(try await makeCommander(scratch, makeContext()))
        let events = holder.vm!.events()
        try await holder.vm!.start(timeout: .seconds(60))
        // The sequence does not keep the machine, and ends with it.
        try await within(20, "the end of the events") {
            for await event in events {
                if case .state(_, .running) = event.kind { holder.drop() }
            }
        }
        XCTAssertNil(holder.vm)
    }

    func testDroppedInTheLog() async throws {
        let scratch = Scratch()
        let context = try makeContext()
        let holder = Holder(try await makeCommander(scratch, context))
        context.setLogHandler(level: .debug) { _, message in
            if holder.isArmed { holder.drop() }
        }
        try await holder.vm!.start(timeout: .seconds(60))
        holder.arm()
        let qmp = try? holder.vm?.qmp
        _ = try? await qmp?.queryStatus()
        holder.drop()
        XCTAssertNil(holder.vm)
        context.setLogHandler(nil)
    }

    /// A task that awaits keeps what it awaits on; nothing hangs when everybody else lets go.
    func testWorkPending() async throws {
        let scratch = Scratch()
        let context = try makeContext()
        let tasks = try await { () async throws -> [Task<Void, any Error>] in
            let vm = try await makeCommander(scratch, context)
            try await vm.start(timeout: .seconds(60))
            let qmp = try vm.qmp
            var tasks = (0..<50).map { _ in Task { _ = try await qmp.queryStatus() } }
            tasks.append(Task { try await vm.stop(.kill) })
            return tasks
        }()
        let failures = try await within(30, "the tasks") {
            var failures = 0
            for task in tasks {
                if case .failure = await task.result { failures += 1 }
            }
            return failures
        }
        XCTAssertLessThanOrEqual(failures, 50)
    }

    func testStreamsLetGo() async throws {
        let scratch = Scratch()
        let vm = try await makeCommander(scratch, makeContext())
        try await vm.start(timeout: .seconds(60))
        // More than one connection may have: each must be gone before the next.
        for _ in 0..<2000 {
            _ = try vm.qmp.events("STOP")
            _ = vm.events()
            _ = vm.serialPorts[0].output
        }
        try await vm.stop(.kill)
    }

    func testTenThousandFrames() async throws {
        let scratch = Scratch()
        let vm = try await makePainter(scratch, makeContext(), "mode=grad fps=0 w=640 h=480")
        try await vm.start(timeout: .seconds(60))
        let display = vm.displays[0]
        _ = try await display.waitForFrame(timeout: .seconds(30))
        var held: [Frame] = [], sum = 0
        for round in 0..<10_000 {
            guard let frame = display.frame else { return XCTFail("no frame") }
            sum &+= frame.withBytes { Int($0[round]) }
            if round % 1000 == 0 { held.append(frame) }
        }
        XCTAssertEqual(held.count, 10)
        held = []
        // All buffers came back: there are new pictures.
        let latest = display.frame!.serial
        _ = try await display.waitForFrame(after: latest, timeout: .seconds(20))
        try await vm.stop(.kill)
    }

    func testAFrameOutlivesAll() async throws {
        let scratch = Scratch()
        let frame = try await { () async throws -> Frame in
            let vm = try await makePainter(scratch, makeContext(), "mode=test w=640 h=480")
            try await vm.start(timeout: .seconds(60))
            return try await vm.displays[0].waitUntilStable(for: .milliseconds(300))
        }()
        XCTAssertEqual(frame.width, 640)
        XCTAssertNotEqual(frame.withBytes { $0.reduce(0) { $0 + Int($1) } }, 0)
    }

    /// A program that ends with a machine running leaves no QEMU behind.
    func testExitWhileRunning() async throws {
        let scratch = Scratch()
        let context = try makeContext()
        let bundle = try await makeBundle(scratch, kernel: "UTM_TEST_COMMANDER", context)
        let products = Bundle(for: T600Lifetime.self).bundleURL
        let directory = products.pathExtension == "xctest" ? products.deletingLastPathComponent() : products
        let program = directory.appendingPathComponent("ExitWhileRunning")
        let process = Process(), pipe = Pipe()
        process.executableURL = program
        process.arguments = [bundle.path]
        process.standardOutput = pipe
        try process.run()
        let said = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        XCTAssertEqual(process.terminationReason, .exit)
        XCTAssertEqual(process.terminationStatus, 7)
        let pid = try XCTUnwrap(Int64(said.trimmingCharacters(in: .whitespacesAndNewlines)), said)
        try await within(10, "the end of QEMU") {
            while processExists(pid) { try await Task.sleep(for: .milliseconds(10)) }
        }
    }

    /// Holds a machine until it is told to let go, from anywhere.
    private final class Holder: @unchecked Sendable {
        private let lock = NSLock()
        private var held: VirtualMachine?
        private var armed = false

        init(_ vm: VirtualMachine) {
            held = vm
        }

        var vm: VirtualMachine? { lock.withLock { held } }
        var isArmed: Bool { lock.withLock { armed } }
        func arm() { lock.withLock { armed = true } }

        func drop() {
            let last = lock.withLock { () -> VirtualMachine? in
                defer { held = nil }
                return held
            }
            withExtendedLifetime(last) {}
        }
    }
}
