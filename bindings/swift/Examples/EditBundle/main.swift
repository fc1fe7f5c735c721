// SPDX-License-Identifier: LGPL-2.1-or-later
//
// EditBundle BUNDLE [KEY.PATH=VALUE]...
//
// Tells what a package is and what is wrong with it, changes values of its configuration, and saves it.
import Utm

func describe(_ bundle: MachineBundle) throws {
    let config = bundle.config
    print("\(config.name) (\(bundle.path))")
    print("\(try config.string("System.Architecture")), \(try config.int("System.MemorySize")) MiB")
    // A section as a struct, completed by the editor.
    for drive in try config.decode([Config.Drive].self, at: "Drive") {
        print("drive: \(drive.imageType) at \(drive.interface), \(drive.imageName ?? "empty")")
    }
    for finding in try bundle.check() {
        print("\(finding.severity): \(finding.keyPath ?? ""): \(finding.message)\n    \(finding.remedy)")
    }
}

func change(_ config: inout Config, _ argument: String) throws(UtmError) {
    let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
    let (key, value) = (parts[0], parts.count > 1 ? parts[1] : "")
    try config.setText(key, to: value)
    print("\(key) is \(value)")
}

guard CommandLine.arguments.count > 1 else {
    fatalError("usage: EditBundle BUNDLE [KEY.PATH=VALUE]...")
}
do {
    let bundle = try MachineBundle.open(CommandLine.arguments[1])
    try describe(bundle)
    let changes = CommandLine.arguments.dropFirst(2)
    if !changes.isEmpty {
        try bundle.edit { (config) throws(UtmError) in
            for argument in changes {
                try change(&config, argument)
            }
        }
        print("saved")
    }
} catch {
    // One line tells what, where and why; the next says what to do.
    print("EditBundle: \(error)")
}
