// SPDX-License-Identifier: LGPL-2.1-or-later
import Foundation
import Utm
import XCTest

final class T220Qmp: XCTestCase {
    func testCommands() async throws {
        let scratch = Scratch()
        let vm = try await makeCommander(scratch, makeContext())
        try await vm.start(timeout: .seconds(60))
        let qmp = try vm.qmp
        let status = try await qmp.queryStatus()
        XCTAssertTrue(status.running)
        XCTAssertEqual(status.status, .running)
        let version = try await qmp.queryVersion()
        XCTAssertEqual(qmp.qemuVersion / 1_000_000, version.qemu.major)
        XCTAssertNotNil(qmp.greeting["version"]?["qemu"])
        let names = try await qmp.execute("query-commands")
        XCTAssertNotNil(names[0]?["name"]?.string)
        let blocks = try await qmp.queryBlock()
        XCTAssertTrue(blocks.allSatisfy { !$0.device.isEmpty || $0.qdev != nil })
        let hasAdd = try await qmp.has("blockdev-add.driver=qcow2"), hasNonsense = try await qmp.has("no-such-command")
        XCTAssertTrue(hasAdd)
        XCTAssertFalse(hasNonsense)
        do {
            try await qmp.deviceDel(id: "none")
            XCTFail("it was there")
        } catch {
            XCTAssertEqual(error.code, .qmpCommand)
            XCTAssertEqual(error.qmpClass, "DeviceNotFound")
        }
        try await vm.stop(.kill)
        await assertThrows(.qmpDisconnected) { _ = try await qmp.queryStatus() }
    }

    func testManyAtOnce() async throws {
        let scratch = Scratch()
        let vm = try await makeCommander(scratch, makeContext())
        try await vm.start(timeout: .seconds(60))
        let qmp = try vm.qmp
        let running = try await within(20, "300 answers") {
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<300 {
                    group.addTask { try await qmp.queryStatus().running }
                }
                return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
        }
        XCTAssertEqual(running, 300)
        try await vm.stop(.kill)
    }

    func testRecordings() async throws {
        let scratch = Scratch()
        let context = try makeContext()
        await assertThrows(.notFound) { _ = try await QMP.connect(replaying: scratch.file("none"), in: context) }
        let replay = try await QMP.connect(replaying: scratch.write("session.jsonl", replayedSession), in: context)
        XCTAssertEqual(replay.qemuVersion, 9_001_000)
        let stops = try replay.events(of: QMP.StopEvent.self)
        let status = try await replay.queryStatus()
        XCTAssertEqual(status.singlestep, false)
        XCTAssertThrowsError(try replay.checkReplay()) { XCTAssertEqual(($0 as! UtmError).code, .invalidState) }
        try await replay.stop()
        _ = try await within(10, "STOP") { try await stops.first { _ in true } }
        try replay.checkReplay()
        let vm = try await makeCommander(scratch, context)
        try await vm.start(timeout: .seconds(60))
        let qmp = try vm.qmp
        try qmp.record(to: scratch.file("recorded.jsonl"))
        _ = try await qmp.queryName()
        try await qmp.stopRecording()
        try await vm.stop(.kill)
        let text = try String(contentsOfFile: scratch.file("recorded.jsonl"), encoding: .utf8)
        XCTAssertTrue(text.contains("query-name"), text)
    }

    func testConnectFails() async throws {
        let context = try makeContext()
        await assertThrows(.notFound) { _ = try await QMP.connect(path: "/nowhere/qmp.sock", in: context) }
        await assertThrows(.notFound) { _ = try await Guest.connect(path: "/nowhere/qga.sock", in: context) }
    }
}
