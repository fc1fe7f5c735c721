// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the tests share: machines of small guests, and waits with an end.
import Foundation
import Utm
import XCTest

/// A directory that goes with the test.
final class Scratch: Sendable {
    let path: String

    init() {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("utm-swift-\(UUID().uuidString.prefix(8))")
        try! FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    func write(_ name: String, _ text: String) throws -> String {
        try text.write(toFile: file(name), atomically: true, encoding: .utf8)
        return file(name)
    }
}

func environment(_ name: String) throws -> String {
    guard let value = ProcessInfo.processInfo.environment[name], FileManager.default.fileExists(atPath: value) else {
        throw XCTSkip("\(name) does not name a file")
    }
    return value
}

/// What guests do is the same when they are emulated.
func makeContext(_ dispatching: Context.Dispatching = .ownQueue) throws -> Context {
    try Context(Context.Options(acceleration: .tcg), dispatching: dispatching)
}

/// A machine without anything but a processor, memory and a serial port.
func plainConfig() throws -> Config {
    var config = try Config(name: "Test", architecture: "x86_64", target: "q35")
    try config.set("System.MemorySize", to: 64)
    for key in ["UEFIBoot", "TPMDevice", "RNGDevice", "BalloonDevice", "Hypervisor"] {
        try config.set("QEMU.\(key)", to: false)
    }
    for key in ["Display", "Network", "Sound", "Serial", "Drive"] {
        try config.setText(key, to: "[]")
    }
    try config.set("Input.UsbBusSupport", to: "Disabled")
    try config.insert("{'Mode': 'Terminal', 'Target': 'Auto'}", into: "Serial")
    return config
}

/// A machine whose kernel is a test guest.
func makeBundle(_ scratch: Scratch, kernel: String, _ context: Context, edit: (inout Config) throws -> Void = { _ in })
    async throws -> MachineBundle
{
    var config = try plainConfig()
    try config.insert("{'ImageType': 'LinuxKernel', 'ImageName': 'guest.elf'}", into: "Drive")
    try edit(&config)
    return try await MachineBundle.create(
        scratch.file("Test.utm"), config, files: [.init(try environment(kernel), name: "guest.elf")], in: context)
}

/// The guest that does what its serial port says.
func makeCommander(_ scratch: Scratch, _ context: Context) async throws -> VirtualMachine {
    try await makeBundle(scratch, kernel: "UTM_TEST_COMMANDER", context).machine()
}

/// The guest that paints.
func makePainter(_ scratch: Scratch, _ context: Context, _ words: String) async throws -> VirtualMachine {
    _ = try environment("UTM_CONSOLE_ENGINE")
    return try await makeBundle(scratch, kernel: "UTM_TEST_PAINTER", context) { config in
        try config.insert("{'Hardware': 'VGA', 'VgaRamMib': 32}", into: "Display")
        try config.insert("\"-append \\\"\(words)\\\"\"", into: "QEMU.AdditionalArguments")
    }.machine()
}

struct TimedOut: Error {
    let what: String
}

/// Nothing in these tests waits for ever.
func within<Value: Sendable>(
    _ seconds: Double, _ what: String = "something", _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value.self) { group in
        group.addTask(operation: body)
        group.addTask {
            try await Task.sleep(for: .seconds(seconds))
            throw TimedOut(what: what)
        }
        defer { group.cancelAll() }
        return try await group.next()!
    }
}

/// Waits until the guest has said something on its first serial port.
func waitForSerial(_ lines: SerialPort.Lines, _ text: String) async throws {
    try await within(30, "`\(text)` on the serial port") {
        for await line in lines where line.contains(text) {
            return
        }
        throw TimedOut(what: "the serial port ended before `\(text)`")
    }
}

func assertThrows(
    _ code: UtmError.Code, file: StaticString = #filePath, line: UInt = #line, _ body: () async throws -> Void
) async {
    do {
        try await body()
        XCTFail("nothing was thrown", file: file, line: line)
    } catch let error as UtmError {
        XCTAssertEqual(error.code, code, error.description, file: file, line: line)
    } catch {
        XCTFail("\(error)", file: file, line: line)
    }
}

func processExists(_ pid: Int64) -> Bool {
    kill(pid_t(pid), 0) == 0
}

/// A recorded session: one command, and the event that came of it.
let replayedSession = """
    {"from": "monitor", "message": {"QMP": {"version": {"qemu": {"major": 9, "minor": 1, "micro": 0}, "package": ""}, "capabilities": []}}}
    {"from": "client", "message": {"execute": "query-status"}}
    {"from": "monitor", "message": {"return": {"running": true, "singlestep": false, "status": "running"}}}
    {"from": "client", "message": {"execute": "stop"}}
    {"from": "monitor", "message": {"event": "STOP", "timestamp": {"seconds": 1700000000, "microseconds": 0}}}
    {"from": "monitor", "message": {"return": {}}}

    """
