// SPDX-License-Identifier: LGPL-2.1-or-later
import Dispatch
import Foundation
import Utm
import XCTest

final class T500Async: XCTestCase {
    /// Everything here is on the main actor, and the main queue serves the events: nothing may wait for itself.
    @MainActor
    func testMainQueueDispatches() async throws {
        let scratch = Scratch()
        let vm = try await makeCommander(scratch, makeContext(.mainQueue))
        try await vm.start(timeout: .seconds(60))
        let status = try await vm.qmp.queryStatus()
        XCTAssertTrue(status.running)
        try await vm.stop(.kill)
    }

    func testAQueueOfOnesOwn() async throws {
        let scratch = Scratch()
        let queue = DispatchQueue(label: "test")
        let vm = try await makeCommander(scratch, makeContext(.queue(queue)))
        try await vm.start(timeout: .seconds(60))
        let status = try await vm.qmp.queryStatus()
        XCTAssertTrue(status.running)
        try await vm.stop(.kill)
    }

    func testManual() async throws {
        let scratch = Scratch()
        let context = try makeContext(.manual)
        let server = Thread {
            while !Thread.current.isCancelled { _ = try? context.wait(timeout: .milliseconds(20)) }
        }
        server.start()
        defer { server.cancel() }
        let vm = try await makeCommander(scratch, context)
        try await vm.start(timeout: .seconds(60))
        let status = try await vm.qmp.queryStatus()
        XCTAssertTrue(status.running)
        try await vm.stop(.kill)
    }

    func testSideBySide() async throws {
        let scratch = Scratch()
        let context = try makeContext()
        let vm = try await makeCommander(scratch, context)
        async let started: Void = vm.start(timeout: .seconds(60))
        async let hardware = Hardware.query("aarch64", in: context)
        async let entries = MachineBundle.list(directory: scratch.path, in: context)
        let found = try await (hardware.architecture, entries.count)
        XCTAssertEqual(found.0, "aarch64")
        XCTAssertEqual(found.1, 1)
        try await started
        try await vm.stop(.kill)
    }

    func testAnActorIsNotLeft() async throws {
        let scratch = Scratch()
        let vm = try await makeCommander(scratch, makeContext())
        let keeper = Keeper(vm)
        try await keeper.run()
        let changes = await keeper.changes
        XCTAssertEqual(changes, ["starting", "running", "stopped"])
    }

    private actor Keeper {
        let vm: VirtualMachine
        var changes: [String] = []

        init(_ vm: VirtualMachine) {
            self.vm = vm
        }

        func run() async throws {
            changes.append("starting")
            try await vm.start(timeout: .seconds(60))
            changes.append("running")
            try await vm.stop(.kill)
            changes.append("stopped")
        }
    }
}
