// SPDX-License-Identifier: LGPL-2.1-or-later
import Foundation
import Utm
import XCTest

final class T200Config: XCTestCase {
    func testValues() throws {
        var config = try plainConfig()
        XCTAssertEqual(try config.int("System.MemorySize"), 64)
        XCTAssertFalse(try config.bool("QEMU.UEFIBoot"))
        XCTAssertEqual(try config.string("System.Target"), "q35")
        XCTAssertEqual(try config.count("Serial"), 1)
        XCTAssertFalse(try config.has("Information.Notes"))
        try config.set("Information.Notes", to: "a note")
        XCTAssertTrue(try config.has("Information.Notes"))
        try config.remove("Information.Notes")
        XCTAssertFalse(try config.has("Information.Notes"))
        XCTAssertEqual(config.backend, .qemu)
        XCTAssertEqual(config.uuid.count, 36)
        XCTAssertEqual(config.defaultInterface(forImageType: "CD"), "IDE")
        XCTAssertEqual(config.format.format, .current)
        XCTAssertTrue(config.notes.isEmpty)
    }

    func testCopiesAreIndependent() throws {
        let first = try plainConfig()
        var second = first
        XCTAssertEqual(first, second)
        try second.set("System.CPUCount", to: 4)
        XCTAssertEqual(try first.int("System.CPUCount"), 0)
        XCTAssertEqual(try second.int("System.CPUCount"), 4)
        XCTAssertNotEqual(first, second)
    }

    func testSectionsAsTypes() throws {
        var config = try plainConfig()
        var system = try config.decode(Config.System.self, at: "System")
        XCTAssertEqual(system.memorySize, 64)
        XCTAssertEqual(system.architecture, .x86_64)
        system.cpuCount = 3
        try config.encode(system, at: "System")
        XCTAssertEqual(try config.int("System.CPUCount"), 3)
        let whole = try config.decode(Config.Qemu.self)
        XCTAssertEqual(whole.system.cpuCount, 3)
        XCTAssertEqual(whole.serial.count, 1)
        XCTAssertEqual(try Config(json: whole.jsonText), config)
    }

    func testUnknownKeysStay() throws {
        var config = try Config(json: plainConfig().json())
        let json = try config.json().replacingOccurrences(of: "\"MemorySize\"", with: "\"Strange\": [1, {\"b\": null}], \"MemorySize\"")
        config = try Config(json: json)
        let system = try config.decode(Config.System.self, at: "System")
        XCTAssertEqual(system.extras["Strange"], [1, ["b": .null]])
        XCTAssertTrue(system.jsonText.contains("\"Strange\":[1,{\"b\":null}],\"Target\""), system.jsonText)
    }

    func testPropertyList() throws {
        let config = try plainConfig()
        XCTAssertEqual(try Config(propertyList: config.propertyList()), config)
    }

    func testCheckFindsWhatIsWrong() throws {
        var config = try plainConfig()
        try config.set("System.Target", to: "no-such-board")
        let findings = try config.check()
        XCTAssertTrue(findings.contains { $0.keyPath == "System.Target" && !$0.remedy.isEmpty })
        XCTAssertEqual(findings.severity, findings.map(\.severity).max())
        XCTAssertFalse(findings[0].code.description.isEmpty)
    }

    func testSchema() throws {
        let root = ConfigSchema.root(of: .qemu)
        let system = try XCTUnwrap(root.keys.first { $0.name == "System" })
        guard case .section(let section) = system.kind else { return XCTFail("no section") }
        let memory = try XCTUnwrap(section.keys.first { $0.name == "MemorySize" })
        XCTAssertEqual(memory.unit, "MiB")
        XCTAssertFalse(memory.doc.isEmpty)
        let interface = try ConfigSchema.key(at: "Drive[3].Interface")
        guard case .enumeration(let words) = interface.kind else { return XCTFail("no enumeration") }
        XCTAssertTrue(words.values.contains { $0.text == "VirtIO" && !$0.doc.isEmpty })
        XCTAssertThrowsError(try ConfigSchema.key(at: "None"))
    }

    func testHardwareAndHost() async throws {
        let known = try Hardware.known("aarch64")
        XCTAssertNotNil(known.item(.machine, named: "virt"))
        XCTAssertNil(known.qemuPath)
        let asked = try await Hardware.query("x86_64")
        XCTAssertTrue(asked.items(.machine).contains { $0.alias == "q35" || $0.name == "q35" })
        let properties = try await Hardware.properties(of: .network, named: "virtio-net-pci", architecture: "x86_64")
        XCTAssertNotNil(properties.item(.property, named: "mac")?.type)
        let host = try await HostFacts.probe(for: plainConfig())
        XCTAssertTrue(try host.json().contains("{"))
        XCTAssertFalse(host.items(.accelerator).isEmpty)
    }

    func testCommandLine() throws {
        var config = try plainConfig()
        try config.set("System.MemorySize", to: 512)
        let argv = try config.commandLine(bundlePath: "/x/Test.utm", on: HostFacts(os: .linux))
        XCTAssertTrue(argv.program.contains("qemu-system-x86_64"))
        let memory = try XCTUnwrap(argv.arguments.first { $0.text.hasPrefix("512") })
        XCTAssertEqual(memory.keyPath, "System.MemorySize")
        XCTAssertNotNil(memory.reason)
        XCTAssertEqual(argv.strings, argv.arguments.map(\.text))
        XCTAssertTrue(try argv.shellScript().contains("qemu-system-x86_64"))
        try config.insert("\"-boot menu=on\"", into: "QEMU.AdditionalArguments")
        XCTAssertEqual(try config.userArguments(), ["-boot", "menu=on"])
    }

    func testPackages() async throws {
        let scratch = Scratch()
        let context = try makeContext()
        let bundle = try await MachineBundle.create(scratch.file("One.utm"), plainConfig(), in: context)
        try bundle.edit { (config) throws(UtmError) in try config.set("System.CPUCount", to: 2) }
        XCTAssertEqual(try bundle.config.int("System.CPUCount"), 2)
        XCTAssertEqual(bundle.lockState, .unlocked)
        let progress = OperationProgress()
        let name = try await bundle.importFile(try scratch.write("disk.img", "content"), progress: progress)
        XCTAssertEqual(name, "disk.img")
        XCTAssertEqual(progress.bytes.done, 7)
        XCTAssertEqual(try bundle.unreferencedFiles().map(\.name), ["disk.img"])
        try bundle.removeFile("disk.img")
        XCTAssertTrue(try bundle.files().isEmpty)
        let copy = try await bundle.clone(to: scratch.file("Two.utm"), name: "Second")
        XCTAssertEqual(copy.config.name, "Second")
        XCTAssertNotEqual(copy.config.uuid, bundle.config.uuid)
        let entries = try await MachineBundle.list(directory: scratch.path, in: context)
        XCTAssertEqual(entries.map(\.name), ["Test", "Second"])
        let size = try await bundle.size()
        XCTAssertEqual(size.fileCount, 1)
        XCTAssertNil(try bundle.screenshot())
        XCTAssertEqual(MachineBundle.fileName(forMachine: "a/b"), "a-b.utm")
    }

    func testDiskImages() async throws {
        let scratch = Scratch()
        let context = try makeContext()
        let bundle = try await MachineBundle.create(scratch.file("One.utm"), plainConfig(), in: context)
        let index = try await bundle.addDisk(size: 8 << 20)
        let name = try bundle.config.string("Drive[\(index)].ImageName")
        try await bundle.resizeImage(name, to: 16 << 20)
        let info = try await DiskImage(bundle.resolve(name), in: context).inspect()
        XCTAssertEqual(info.virtualSize, 16 << 20)
        XCTAssertEqual(info.format, .qcow2)
        XCTAssertEqual(info.format.name, "qcow2")
        let raw = scratch.file("plain.img")
        try await DiskImage(bundle.resolve(name), in: context).convert(to: raw, format: .raw)
        let other = try await DiskImage(raw, in: context).inspect()
        XCTAssertEqual(other.length, 16 << 20)
        await assertThrows(.bundleExists) { _ = try await DiskImage.create(raw, size: 1 << 20, in: context) }
    }

    func testJSONIsTheLibrarys() throws {
        let json: JSON = ["b": 1.5, "a": [.null, true, -7, "x\"\\\n\u{1}é"], "\u{10000}": 1e100, "\u{e000}": 0.1]
        XCTAssertEqual(
            json.jsonText,
            #"{"a":[null,true,-7,"x\"\\\n\u0001é"],"b":1.5,"\#u{10000}":1e+100,"\#u{e000}":0.1}"#)
        XCTAssertEqual(try JSON(parsing: json.jsonText), json)
        XCTAssertEqual(JSON.number(3).jsonText, "3.0")
        XCTAssertEqual(JSON.number(0.1 + 0.2).jsonText, "0.30000000000000004")
        XCTAssertEqual(try JSON(parsing: "18446744073709551615"), .uint(.max))
        XCTAssertEqual(try JSON(parsing: " [1, 1.0] "), [.int(1), .number(1)])
        for bad in ["", "{", "[1,]", "01", "\"\\ud800\"", "\"\\u0000\"", "1 2", "nul", "18446744073709551616", "\"a\nb\""] {
            XCTAssertThrowsError(try JSON(parsing: bad), bad)
        }
        XCTAssertThrowsError(try JSON(parsing: String(repeating: "[", count: 100_000)))
        XCTAssertThrowsError(try JSON.number(.infinity).encodeJSON())
    }

    func testTypesAreCodable() throws {
        let options = QMP.BlockdevOptions(
            driver: .qcow2(.init(file: .definition(.init(driver: .file(.init(filename: "a.qcow2")))))), nodeName: "disk0",
            readOnly: true)
        XCTAssertEqual(
            options.jsonText,
            #"{"driver":"qcow2","node-name":"disk0","read-only":true,"file":{"driver":"file","filename":"a.qcow2"}}"#)
        let data = try JSONEncoder().encode(options)
        XCTAssertEqual(try JSONDecoder().decode(QMP.BlockdevOptions.self, from: data), options)
        let strange = try QMP.BlockdevOptions(jsonText: #"{"driver":"later","new":[1]}"#)
        guard case .unrecognized(let tag) = strange.driver else { return XCTFail("it is known") }
        XCTAssertEqual(tag.rawValue, "later")
        XCTAssertFalse(tag.isKnown)
        XCTAssertEqual(strange.jsonText, #"{"driver":"later","new":[1]}"#)
        XCTAssertThrowsError(try QMP.BlockdevOptions(jsonText: #"{"driver":"qcow2","file":{"driver":"file"}}"#)) {
            XCTAssertEqual(($0 as! UtmError).keyPath, "file.filename")
        }
    }
}
