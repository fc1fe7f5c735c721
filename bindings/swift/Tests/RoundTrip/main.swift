// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Reads lines `PROTOCOL/TYPE<TAB>JSON`, and writes each as the type writes it.
import Utm

while let line = readLine() {
    let parts = line.split(separator: "\t", maxSplits: 1).map(String.init)
    guard parts.count == 2, let type = allTypes[parts[0]] else {
        print("\(parts.first ?? "")\tunknown type")
        continue
    }
    do {
        print("\(parts[0])\t\(try type.init(jsonText: parts[1]).encodeJSON())")
    } catch {
        print("\(parts[0])\terror: \(error)")
    }
}
