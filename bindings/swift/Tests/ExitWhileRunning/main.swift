// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Starts a machine, says the number of its process, and exits at once.
import Foundation
import Utm

let context = try Context(Context.Options(acceleration: .tcg))
let vm = try MachineBundle.open(CommandLine.arguments[1], in: context).machine()
try await vm.start(timeout: .seconds(60))
let listening = Task { for await _ in vm.events() {} }
FileHandle.standardOutput.write(Data("\(vm.pid ?? -1)\n".utf8))
exit(7)
