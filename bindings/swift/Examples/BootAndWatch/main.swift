// SPDX-License-Identifier: LGPL-2.1-or-later
//
// BootAndWatch BUNDLE [SCREENSHOT.png]
//
// Boots a machine, waits for a picture that rests, types a key, saves a screenshot, stops the guest and tells why it ended.
import Utm

let keyA: UInt32 = 0x1e

func tell(_ events: AsyncStream<VirtualMachine.Event>) async {
    for await event in events {
        switch event.kind {
        case .state(let old, let new): print("state: \(old) -> \(new)")
        case .warning(let text), .log(let text): print("\(event.kind.name): \(text)")
        default: break
        }
    }
}

/// Until the guest says that it is ready, if it has a serial port at all.
func waitUntilReady(_ vm: VirtualMachine) async {
    guard let port = vm.serialPorts.first else { return }
    for await line in port.lines {
        print("serial: \(line.filter { $0.isASCII && !$0.isNewline })")
        if line.contains("ready") { return }
    }
}

func watch(_ path: String, _ screenshot: String) async throws {
    let vm = try MachineBundle.open(path).machine()
    let events = vm.events()
    let telling = Task { await tell(events) }
    defer { telling.cancel() }

    try await vm.start(.disposable)
    guard let display = vm.displays.first else { return try await vm.stop() }
    await waitUntilReady(vm)
    let before = try await display.waitUntilStable(timeout: .seconds(60))
    print("picture: \(before.width) x \(before.height)")

    try vm.console.typeKey(keyA)
    let after = try await display.waitForFrame(after: before.serial, timeout: .seconds(15))
    // The pixels are where the console engine put them: nothing was copied.
    let changed = before.withBytes { old in after.withBytes { new in zip(old, new).count { $0 != $1 } } }
    print("changed: \(changed) bytes, within \(after.damage.count) rectangles")
    try await display.waitUntilStable().savePNG(to: screenshot)
    print("saved: \(screenshot)")

    try await vm.stop(.escalate)
    if let reason = vm.endReason {
        print("end: \(reason.kind): \(reason)")
    }
}

guard CommandLine.arguments.count > 1 else {
    fatalError("usage: BootAndWatch BUNDLE [SCREENSHOT.png]")
}
do {
    try await watch(CommandLine.arguments[1], CommandLine.arguments.count > 2 ? CommandLine.arguments[2] : "screen.png")
} catch {
    print("BootAndWatch: \(error)")
}
