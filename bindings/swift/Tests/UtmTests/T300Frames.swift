// SPDX-License-Identifier: LGPL-2.1-or-later
import Foundation
import Utm
import XCTest

final class T300Frames: XCTestCase {
    func testPictures() async throws {
        let scratch = Scratch()
        let vm = try await makePainter(scratch, makeContext(), "mode=box fps=60 w=1920 h=1080")
        XCTAssertEqual(vm.displays.count, 1)
        let display = vm.displays[0]
        XCTAssertEqual(display.index, 0)
        XCTAssertNil(display.frame)
        await assertThrows(.invalidState) { _ = try await display.waitForFrame(timeout: .seconds(1)) }
        try await vm.start(timeout: .seconds(60))
        let seen = try await within(40, "20 pictures") {
            var serials: [UInt64] = []
            for await frame in display.frames where frame.width == 1920 {
                XCTAssertEqual(frame.height, 1080)
                XCTAssertGreaterThanOrEqual(frame.bytesPerRow, 1920 * 4)
                XCTAssertEqual(frame.fourCC, 0x3432_5258)
                XCTAssertTrue(frame.damage.allSatisfy { $0.x >= 0 && $0.width > 0 && $0.x + $0.width <= 1920 })
                frame.withBytes { XCTAssertEqual($0.count, frame.height * frame.bytesPerRow) }
                serials.append(frame.serial)
                if serials.count == 20 { break }
            }
            return serials
        }
        XCTAssertEqual(seen, seen.sorted())
        XCTAssertEqual(Set(seen).count, 20)
        try await vm.stop(.kill)
    }

    func testNothingIsCopied() async throws {
        let scratch = Scratch()
        let vm = try await makePainter(scratch, makeContext(), "mode=grad fps=30")
        try await vm.start(timeout: .seconds(60))
        let frame = try await vm.displays[0].waitForFrame(timeout: .seconds(30))
        let addresses = (0..<3).map { _ in frame.withBytes { UInt(bitPattern: $0.baseAddress) } }
        XCTAssertEqual(Set(addresses).count, 1)
        let before = frame.withBytes { Array($0) }
        let later = try await vm.displays[0].waitForFrame(after: frame.serial, timeout: .seconds(30))
        XCTAssertGreaterThan(later.serial, frame.serial)
        XCTAssertGreaterThan(later.time, frame.time)
        // A frame stays what it is, after the machine too.
        try await vm.stop(.kill)
        XCTAssertEqual(frame.withBytes { Array($0) }, before)
        let png = try frame.png()
        XCTAssertEqual(Array(png.prefix(4)), [0x89, 0x50, 0x4e, 0x47])
        try frame.savePNG(to: scratch.file("a.png"))
        XCTAssertEqual(FileManager.default.contents(atPath: scratch.file("a.png")).map(Array.init), png)
    }

    func testTheSequenceEndsWithTheMachine() async throws {
        let scratch = Scratch()
        let vm = try await makePainter(scratch, makeContext(), "mode=box fps=30")
        try await vm.start(timeout: .seconds(60))
        let display = vm.displays[0]
        let count = Task {
            var count = 0
            for await _ in display.frames { count += 1 }
            return count
        }
        _ = try await display.waitForFrame(timeout: .seconds(30))
        try await display.saveScreenshot(to: scratch.file("shot.png"))
        try await Task.sleep(for: .milliseconds(300))
        try await vm.stop(.kill)
        let seen = try await within(10, "the end of the frames") { await count.value }
        XCTAssertGreaterThan(seen, 1)
        await assertThrows(.vmEnded) { _ = try await display.waitForFrame(after: .max, timeout: .seconds(5)) }
    }
}
