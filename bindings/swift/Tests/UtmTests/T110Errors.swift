// SPDX-License-Identifier: LGPL-2.1-or-later
import Foundation
import Utm
import XCTest

final class T110Errors: XCTestCase {
    func testMissingBundle() {
        XCTAssertThrowsError(try MachineBundle.open("/nowhere/None.utm")) { error in
            let error = error as! UtmError
            XCTAssertEqual(error.code, .notFound)
            XCTAssertEqual(error.code.name, "not-found")
            XCTAssertFalse(error.message.isEmpty)
            XCTAssertFalse(error.remedy.isEmpty)
            XCTAssertNil(error.qmpClass)
            XCTAssertNil(error.exitStatus)
            XCTAssertTrue(error.description.contains("(not-found)"), error.description)
            XCTAssertTrue(error.description.contains("/nowhere/None.utm"), error.description)
        }
    }

    func testKeyPath() throws {
        var config = try plainConfig()
        do {
            try config.set("System.MemorySize", to: -5)
            XCTFail("a negative size was taken")
        } catch {
            // Without a cast: what is thrown is known to be a UtmError.
            XCTAssertEqual(error.code, .configInvalidValue)
            XCTAssertEqual(error.domain, .config)
            XCTAssertEqual(error.keyPath, "System.MemorySize")
        }
        XCTAssertThrowsError(try config.int("System.Nonsense")) { XCTAssertEqual(($0 as! UtmError).code, .keyPath) }
    }

    func testPatternMatches() {
        do {
            _ = try MachineBundle.open("/nowhere/None.utm")
        } catch UtmError.Code.notFound {
            return
        } catch {
            XCTFail("\(error)")
        }
    }

    func testFileAndErrno() async throws {
        let scratch = Scratch()
        let path = try scratch.write("config.plist", "no property list")
        do {
            _ = try Config(contentsOf: path)
            XCTFail("it was read")
        } catch {
            XCTAssertEqual(error.code, .configMalformed)
            XCTAssertEqual(error.file, path)
        }
        XCTAssertThrowsError(try MachineBundle.open(path)) { XCTAssertEqual(($0 as! UtmError).code, .notABundle) }
        XCTAssertThrowsError(try MachineBundle.open(scratch.path)) { XCTAssertEqual(($0 as! UtmError).code, .configMalformed) }
        do {
            _ = try await MachineBundle.create("/proc/A.utm", plainConfig())
            XCTFail("it was made")
        } catch let error as UtmError {
            XCTAssertNotNil(error.errno, error.description)
        }
    }

    func testQEMUsLastWords() async throws {
        let scratch = Scratch()
        let vm = try await makeBundle(scratch, kernel: "UTM_TEST_COMMANDER", makeContext()) { config in
            try config.insert("\"-no-such-option\"", into: "QEMU.AdditionalArguments")
        }.machine()
        do {
            try await vm.start(timeout: .seconds(30))
            XCTFail("it started")
        } catch {
            XCTAssertEqual(error.code, .processExited)
            XCTAssertEqual(error.exitStatus, 1)
            XCTAssertTrue(error.stderrTail?.contains("no-such-option") == true, error.description)
            XCTAssertEqual(vm.endReason?.kind, .startFailed)
            XCTAssertEqual(vm.endReason?.error?.code, .processExited)
        }
    }

    func testCodesHaveNames() {
        XCTAssertEqual(UtmError.Code.qmpCommand.name, "qmp-command")
        XCTAssertNotNil(UtmError.Code.timeout.meaning)
        XCTAssertEqual(UtmError.Code(rawValue: -99999).name, "error -99999")
    }
}
