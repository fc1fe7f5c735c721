// SPDX-License-Identifier: LGPL-2.1-or-later
import Foundation
import Utm
import XCTest

final class T310Input: XCTestCase {
    /// The painter's test picture has a patch whose colour tells the last key.
    func testKeysReachTheGuest() async throws {
        let scratch = Scratch()
        let vm = try await makePainter(scratch, makeContext(), "mode=test fps=30 w=640 h=480")
        let console = vm.console
        XCTAssertEqual(console.state, .idle)
        XCTAssertThrowsError(try console.typeKey(0x1e)) { XCTAssertEqual(($0 as! UtmError).code, .invalidState) }
        let events = console.events()
        try await vm.start(timeout: .seconds(60))
        try await within(30, "input") {
            var isReady = false
            for await event in events {
                isReady = isReady || event.kind == .inputReady
                if isReady && event.state == .connected { return }
            }
        }
        XCTAssertEqual(console.state, .connected)
        XCTAssertEqual(console.state.description, "connected")
        XCTAssertNotNil(console.enginePID)
        let before = try await vm.displays[0].waitUntilStable(for: .milliseconds(400), timeout: .seconds(30))
        XCTAssertEqual(before.width, 640)
        try console.typeKey(0x1e)
        let after = try await vm.displays[0].waitForFrame(after: before.serial, timeout: .seconds(15))
        XCTAssertFalse(after.damage.isEmpty)
        let changed = before.withBytes { old in after.withBytes { new in !old.elementsEqual(new) } }
        XCTAssertTrue(changed)
        XCTAssertThrowsError(try console.sendKey(0xffff, pressed: true)) {
            XCTAssertEqual(($0 as! UtmError).code, .invalidArgument)
        }
        try console.movePointer(toX: 10, y: 10, buttons: .left)
        try console.movePointer(byX: 1, y: -1)
        try console.sendButton(.left, pressed: false, held: [])
        XCTAssertEqual(console.pointerMode, .server)
        try await vm.stop(.kill)
        let state = try await within(10, "the console's end") {
            while console.state != .closed { try await Task.sleep(for: .milliseconds(10)) }
            return console.state
        }
        XCTAssertEqual(state, .closed)
    }
}
