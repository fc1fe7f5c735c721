// SPDX-License-Identifier: LGPL-2.1-or-later
import Foundation
import Utm
import XCTest

final class T210Start: XCTestCase {
    func testALife() async throws {
        let scratch = Scratch()
        let vm = try await makeCommander(scratch, makeContext())
        XCTAssertEqual(vm.state, .stopped)
        XCTAssertNil(vm.endReason)
        XCTAssertNil(vm.pid)
        let lines = vm.serialPorts[0].lines
        try await vm.start(timeout: .seconds(60))
        XCTAssertEqual(vm.state, .running)
        XCTAssertNotNil(vm.pid)
        try await waitForSerial(lines, "ready")
        try await vm.pause()
        XCTAssertEqual(vm.state, .paused)
        await assertThrows(.invalidState) { try await vm.pause() }
        try await vm.resume()
        XCTAssertEqual(vm.state, .running)
        try await vm.reset()
        try await waitForSerial(lines, "ready")
        try vm.serialPorts[0].write("q")
        let reason = try await within(20, "the end") { try await vm.waitForEnd() }
        XCTAssertEqual(reason.kind, .guestShutdown)
        XCTAssertEqual(reason.exitStatus, 0)
        XCTAssertFalse(reason.description.isEmpty)
        XCTAssertEqual(vm.state, .stopped)
        try await vm.stop(.force)
    }

    func testBlocking() async throws {
        let scratch = Scratch()
        let vm = try await makeCommander(scratch, makeContext())
        try await Task.detached { try startAndKill(vm) }.value
        XCTAssertEqual(vm.endReason?.kind, .killed)
    }

    func testStartsAgain() async throws {
        let scratch = Scratch()
        let vm = try await makeCommander(scratch, makeContext())
        for _ in 0..<2 {
            try await vm.start([.disposable, .paused], timeout: .seconds(60))
            XCTAssertEqual(vm.state, .paused)
            try await vm.stop(.force)
            XCTAssertEqual(vm.endReason?.kind, .quit)
        }
    }

    func testNoMonitorBeforeTheStart() async throws {
        let scratch = Scratch()
        let vm = try await makeCommander(scratch, makeContext())
        XCTAssertThrowsError(try vm.qmp) { XCTAssertEqual(($0 as! UtmError).code, .invalidState) }
        await assertThrows(.invalidState) { _ = try await vm.waitForEnd() }
    }

    func testSerialOutputIsNotLost() async throws {
        let scratch = Scratch()
        let vm = try await makeCommander(scratch, makeContext())
        let port = vm.serialPorts[0]
        // Let go of afterwards: a sequence that nobody reads would hold the guest.
        try await { () async throws in
            let lines = port.lines
            try await vm.start(timeout: .seconds(60))
            try await waitForSerial(lines, "ready")
        }()
        let output = port.output
        try port.write("f")
        // 2 MiB: far more than may lie here while nobody reads.
        try await Task.sleep(for: .milliseconds(700))
        XCTAssertEqual(vm.state, .running)
        try port.write("q")
        let count = try await within(40, "2 MiB") {
            var count = 0
            for await bytes in output {
                count += bytes.count
                if count >= 2 << 20 { break }
            }
            return count
        }
        XCTAssertEqual(count, 2 << 20)
        _ = try await within(20, "the end") { try await vm.waitForEnd() }
    }
}

private func startAndKill(_ vm: VirtualMachine) throws {
    try vm.blocking.start(timeout: .seconds(60))
    try vm.blocking.pause()
    try vm.blocking.resume()
    let status = try vm.qmp.blocking.execute(QMP.QueryStatusCommand())
    XCTAssertEqual(status.status, .running)
    try vm.blocking.stop(.kill)
}
