// SPDX-License-Identifier: LGPL-2.1-or-later
//
// JSON text to values, and objects to structs. What comes from QEMU, from a guest or from a file is bounded in nesting, so
// that neither this nor the structs above it can exhaust a thread's stack.
internal import CUtm

extension JSON {
    /// Nesting beyond this is refused. The library's own types are nested to half of it at most.
    static let depthMax = 512

    /// Reads JSON text. Throws ``UtmError/Code/qmpMalformed`` for what is none, for numbers beyond 64 bits, U+0000 in strings,
    /// and nesting beyond 512 levels.
    public init(parsing text: String) throws(UtmError) {
        var text = text
        // Contiguous bytes, whatever the string was made of; a closure cannot throw what it wants to here.
        let result = text.withUTF8 { bytes -> Result<JSON, UtmError> in
            var parser = Parser(bytes: bytes)
            do throws(UtmError) {
                return .success(try parser.document())
            } catch {
                return .failure(error)
            }
        }
        self = try result.get()
    }

    /// Reads JSON text of the library's.
    init(cString: UnsafePointer<CChar>) throws(UtmError) {
        try self.init(parsing: String(cString: cString))
    }

    /// A value of the library's, which is freed.
    init(taking value: OpaquePointer) throws(UtmError) {
        let text = takeText(utm_value_dup_json(value))
        utm_value_free(value)
        try self.init(parsing: text ?? "null")
    }
}

private struct Parser {
    let bytes: UnsafeBufferPointer<UInt8>
    var at = 0
    var depth = 0

    init(bytes: UnsafeBufferPointer<UInt8>) {
        self.bytes = bytes
    }

    mutating func document() throws(UtmError) -> JSON {
        let value = try value()
        skipSpace()
        guard at == bytes.count else { throw refuse("something follows the value") }
        return value
    }

    private func refuse(_ problem: String) -> UtmError {
        .unfit("\(problem), at byte \(at) of the JSON")
    }

    private var byte: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func skipSpace() {
        while let byte, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 {
            at += 1
        }
    }

    private mutating func take(_ wanted: Character) -> Bool {
        guard byte == wanted.asciiValue! else { return false }
        at += 1
        return true
    }

    private mutating func value() throws(UtmError) -> JSON {
        skipSpace()
        switch byte {
        case UInt8(ascii: "{"): return .object(try object())
        case UInt8(ascii: "["): return .array(try array())
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case nil: throw refuse("the text ends where a value is expected")
        default: return try number()
        }
    }

    private mutating func word(_ text: StaticString, _ value: JSON) throws(UtmError) -> JSON {
        let end = at + text.utf8CodeUnitCount
        let matches = end <= bytes.count && text.withUTF8Buffer { $0.elementsEqual(bytes[at..<end]) }
        guard matches else { throw refuse("no value begins like this") }
        at = end
        return value
    }

    private mutating func enter() throws(UtmError) {
        at += 1
        depth += 1
        guard depth <= JSON.depthMax else { throw refuse("it is nested too deeply") }
    }

    private mutating func object() throws(UtmError) -> JSONObject {
        try enter()
        var members: [(String, JSON)] = []
        skipSpace()
        while !take("}") {
            guard members.isEmpty || take(",") else { throw refuse("a comma is missing") }
            skipSpace()
            guard byte == UInt8(ascii: "\"") else { throw refuse("a name is missing") }
            let name = try string()
            skipSpace()
            guard take(":") else { throw refuse("a colon is missing") }
            members.append((name, try value()))
            skipSpace()
        }
        depth -= 1
        return JSONObject(members)
    }

    private mutating func array() throws(UtmError) -> [JSON] {
        try enter()
        var elements: [JSON] = []
        skipSpace()
        while !take("]") {
            guard elements.isEmpty || take(",") else { throw refuse("a comma is missing") }
            elements.append(try value())
            skipSpace()
        }
        depth -= 1
        return elements
    }

    // MARK: Strings

    private mutating func string() throws(UtmError) -> String {
        at += 1
        let start = at
        while let byte, byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
            at += 1
        }
        if take("\"") {
            return String(decoding: bytes[start..<at - 1], as: UTF8.self)
        }
        var text = Array(bytes[start..<at])
        while !take("\"") {
            switch byte {
            case UInt8(ascii: "\\"): try escape(&text)
            case let byte? where byte >= 0x20:
                text.append(byte)
                at += 1
            case nil: throw refuse("a string has no end")
            default: throw refuse("a control character stands in a string")
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    private mutating func escape(_ text: inout [UInt8]) throws(UtmError) {
        let plain: [Character: UInt8] = [
            "\"": 0x22, "\\": 0x5c, "/": 0x2f, "b": 0x08, "f": 0x0c, "n": 0x0a, "r": 0x0d, "t": 0x09,
        ]
        at += 1
        guard let letter = byte else { throw refuse("a string has no end") }
        at += 1
        if let byte = plain[Character(UnicodeScalar(letter))] {
            text.append(byte)
        } else if letter == UInt8(ascii: "u") {
            text.append(contentsOf: String(Character(try scalar())).utf8)
        } else {
            throw refuse("no escape begins like this")
        }
    }

    private mutating func scalar() throws(UtmError) -> UnicodeScalar {
        var code = try hexadecimal()
        if code & 0xfc00 == 0xd800, take("\\"), take("u") {
            let low = try hexadecimal()
            guard low & 0xfc00 == 0xdc00 else { throw refuse("half of a character is missing") }
            code = 0x10000 + (code & 0x3ff) << 10 + low & 0x3ff
        }
        guard code != 0, let scalar = UnicodeScalar(code) else { throw refuse("U+0000 or half of a character") }
        return scalar
    }

    private mutating func hexadecimal() throws(UtmError) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let byte, let digit = Character(UnicodeScalar(byte)).hexDigitValue else { throw refuse("an escape is cut") }
            code = code << 4 | UInt32(digit)
            at += 1
        }
        return code
    }

    // MARK: Numbers

    private mutating func digits() throws(UtmError) {
        let start = at
        while let byte, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") {
            at += 1
        }
        guard at > start else { throw refuse("no value begins like this") }
    }

    private mutating func number() throws(UtmError) -> JSON {
        let start = at
        var isInteger = true
        _ = take("-")
        let first = at
        try digits()
        guard at == first + 1 || bytes[first] != UInt8(ascii: "0") else { throw refuse("a number begins with 0") }
        if take(".") {
            isInteger = false
            try digits()
        }
        if take("e") || take("E") {
            isInteger = false
            _ = take("+") || take("-")
            try digits()
        }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        if isInteger, let value = Int64(text) {
            return .int(value)
        }
        if isInteger, let value = UInt64(text) {
            return .uint(value)
        }
        guard !isInteger, let value = Double(text), value.isFinite else { throw refuse("a number beyond 64 bits") }
        return .number(value)
    }
}

/// The members of an object, which a generated type takes one by one; what is left it does not know.
public struct JSONFields: Sendable {
    private var rest: JSONObject
    /// Names that a union has, and perhaps the branch that its tag chooses.
    private var kept: [String] = []

    /// Throws when `json` is no object.
    init(_ json: JSON) throws(UtmError) {
        guard case .object(let object) = json else { throw .unfit("must be an object") }
        rest = object
    }

    /// What no member has taken.
    mutating func takeRest() -> JSONObject {
        for name in kept {
            rest[name] = nil
        }
        defer { rest = JSONObject() }
        return rest
    }

    /// A member that must be there.
    mutating func take<Value: JSONValue>(_ name: String, keeping: Bool = false) throws(UtmError) -> Value {
        guard let value: Value = try find(name, keeping: keeping) else { throw UtmError.unfit("is missing").under(name) }
        return value
    }

    /// A member that may be absent. With `keeping` the branch of the union has it, too.
    mutating func find<Value: JSONValue>(_ name: String, keeping: Bool = false) throws(UtmError) -> Value? {
        guard let json = rest[name] else { return nil }
        if !rest.repeated.isEmpty, rest.repeated.contains(where: { compareNames($0, name) == 0 }) {
            throw UtmError.unfit("stands twice").under(name)
        }
        if keeping {
            kept.append(name)
        } else {
            rest[name] = nil
        }
        do throws(UtmError) {
            return try Value(json: json)
        } catch {
            throw error.under(name)
        }
    }

    /// Whether there is any of these.
    func hasAny(_ names: [String]) -> Bool {
        names.contains { rest[$0] != nil }
    }

    /// A member whose type changed: one of an older release does not fit, and stays.
    mutating func findNewest<Value: JSONValue>(_ name: String) -> Value? {
        guard let json = rest[name], let value = try? Value(json: json) else { return nil }
        rest[name] = nil
        return value
    }
}
