// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Reads lines `PROTOCOL/TYPE<TAB>JSON`, and answers each with what the type makes of it, or with `!` and the key path of what
// does not fit, and why.
import Utm

func answer(_ line: String) -> String {
    let parts = line.split(separator: "\t", maxSplits: 1).map(String.init)
    guard parts.count == 2, let type = allTypes[parts[0]] else {
        return "!\tno such type"
    }
    do {
        return try type.init(jsonText: parts[1]).encodeJSON()
    } catch {
        return "!\(error.keyPath ?? "")\t\(error.message)"
    }
}

while let line = readLine() {
    print(answer(line))
}
