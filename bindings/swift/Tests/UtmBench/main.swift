// SPDX-License-Identifier: LGPL-2.1-or-later
//
// UtmBench PAINTER-ELF: what calls cost through the binding, as lines `NAME NANOSECONDS`.
import Foundation
import Utm

func measure(_ name: String, rounds: Int, _ body: () throws -> Void) rethrows {
    var best = Double.infinity
    for _ in 0..<5 {
        let begun = DispatchTime.now().uptimeNanoseconds
        for _ in 0..<rounds { try body() }
        best = min(best, Double(DispatchTime.now().uptimeNanoseconds - begun) / Double(rounds))
    }
    print(name, Int(best.rounded()))
}

func run(_ vm: VirtualMachine) throws {
    let config = vm.config
    measure("getter", rounds: 20_000) { _ = config.name }
    try measure("getter-int", rounds: 20_000) { _ = try config.int("System.MemorySize") }
    try vm.blocking.start(timeout: .seconds(60))
    let display = vm.displays[0]
    var frame = try display.blocking.waitForFrame(timeout: .seconds(30))
    while frame.width != 1920 {
        frame = try display.blocking.waitForFrame(after: frame.serial, timeout: .seconds(30))
    }
    var sum = 0
    try measure("frame", rounds: 2000) {
        guard let frame = display.frame else { throw CocoaError(.fileNoSuchFile) }
        for rect in frame.damage { sum &+= rect.width }
        sum &+= frame.withBytes { Int($0[0]) }
    }
    // A guest that stands still, so that its emulation takes no time from the monitor.
    try vm.blocking.pause()
    let qmp = try vm.qmp
    try measure("query-status", rounds: 1000) { _ = try qmp.blocking.execute(QMP.QueryStatusCommand()) }
    try vm.blocking.stop(.kill)
}

var config = try Config(name: "Bench", architecture: "x86_64", target: "q35")
try config.set("System.MemorySize", to: 64)
for key in ["UEFIBoot", "TPMDevice", "RNGDevice", "BalloonDevice", "Hypervisor"] {
    try config.set("QEMU.\(key)", to: false)
}
for key in ["Display", "Network", "Sound", "Serial", "Drive"] {
    try config.setText(key, to: "[]")
}
try config.insert("{'Hardware': 'VGA', 'VgaRamMib': 32}", into: "Display")
try config.insert("{'ImageType': 'LinuxKernel', 'ImageName': 'guest.elf'}", into: "Drive")
try config.insert("\"-append \\\"mode=box fps=30 w=1920 h=1080\\\"\"", into: "QEMU.AdditionalArguments")
let directory = NSTemporaryDirectory() + "/utm-bench-\(ProcessInfo.processInfo.processIdentifier)"
try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
defer { try? FileManager.default.removeItem(atPath: directory) }
let context = try Context(Context.Options(acceleration: .tcg))
let bundle = try await MachineBundle.create(
    directory + "/Bench.utm", config, files: [.init(CommandLine.arguments[1], name: "guest.elf")], in: context)
let vm = try bundle.machine()
try await Task.detached { try run(vm) }.value
