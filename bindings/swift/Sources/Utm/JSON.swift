// SPDX-License-Identifier: LGPL-2.1-or-later
//
// JSON as the library writes it, byte for byte: members in the order of their names, integers of 64 bits with or without
// sign, numbers with the fewest digits that give them back. Foundation's coders keep neither order nor integers, and
// are not needed for anything else here.
internal import CUtm

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// A free-form value: what QEMU's schema calls `any`, and members that a type does not know.
///
/// Integers keep all of their 64 bits; 1 and 1.0 are two values.
public enum JSON: Sendable, Hashable {
    case null
    case bool(Bool)
    case int(Int64)
    /// From 2^63 to 2^64-1.
    case uint(UInt64)
    /// With a fraction or an exponent.
    case number(Double)
    case string(String)
    case array([JSON])
    case object(JSONObject)

    /// An element; nil for what is no array, and beyond its end.
    public subscript(index: Int) -> JSON? {
        guard case .array(let elements) = self, elements.indices.contains(index) else { return nil }
        return elements[index]
    }

    /// The value of a member; nil for what is no object, and when it has none.
    public subscript(name: String) -> JSON? {
        guard case .object(let object) = self else { return nil }
        return object[name]
    }

    /// The string, if it is one.
    public var string: String? {
        guard case .string(let value) = self else { return nil }
        return value
    }

    /// The integer, if it is one with at most 63 bits.
    public var int: Int64? {
        guard case .int(let value) = self else { return nil }
        return value
    }

    /// The truth value, if it is one.
    public var bool: Bool? {
        guard case .bool(let value) = self else { return nil }
        return value
    }

    /// The value as a type.
    public func decode<Value: JSONValue>(_ type: Value.Type = Value.self) throws(UtmError) -> Value {
        try Value(json: self)
    }
}

/// No `nil` literal for ``JSON/null``: of a `JSON?` it would be anybody's guess which nothing it says.
extension JSON: ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByStringLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(integerLiteral value: Int64) { self = .int(value) }
    public init(floatLiteral value: Double) { self = .number(value) }
    public init(stringLiteral value: String) { self = .string(value) }
    public init(arrayLiteral elements: JSON...) { self = .array(elements) }
    public init(dictionaryLiteral members: (String, JSON)...) { self = .object(JSONObject(members)) }
}

extension JSON: CustomStringConvertible {
    /// Compact JSON.
    public var description: String { jsonText }
}

/// The members of an object, in the order of their names, each at most once.
///
/// No dictionary, because Swift's strings are equal when they look the same, and names are not.
public struct JSONObject: Sendable, Hashable, RandomAccessCollection, ExpressibleByDictionaryLiteral {
    /// A name and its value.
    public typealias Element = (name: String, value: JSON)

    private var members: [Element]
    /// Names that stood in the text more than once: a free-form value may have that, a member that a type knows may not.
    private(set) var repeated: [String] = []

    public init() {
        members = []
    }

    /// Of several members with the same name the last one stays.
    public init(_ members: [(String, JSON)]) {
        self.members = []
        var sorted = members.enumerated().sorted { a, b in
            let order = compareNames(a.element.0, b.element.0)
            return order < 0 || (order == 0 && a.offset < b.offset)
        }
        for index in sorted.indices.dropLast().reversed()
        where compareNames(sorted[index].element.0, sorted[index + 1].element.0) == 0 {
            repeated.append(sorted.remove(at: index).element.0)
        }
        self.members = sorted.map { ($0.element.0, $0.element.1) }
    }

    public init(dictionaryLiteral members: (String, JSON)...) {
        self.init(members)
    }

    public var startIndex: Int { 0 }
    public var endIndex: Int { members.count }
    public subscript(index: Int) -> Element { members[index] }

    /// The value of a member.
    public subscript(name: String) -> JSON? {
        get {
            let (index, found) = find(name)
            return found ? members[index].value : nil
        }
        set {
            let (index, found) = find(name)
            if let newValue, found {
                members[index].value = newValue
            } else if let newValue {
                members.insert((name, newValue), at: index)
            } else if found {
                members.remove(at: index)
            }
        }
    }

    private func find(_ name: String) -> (index: Int, found: Bool) {
        var low = 0, high = members.count
        while low < high {
            let middle = (low + high) / 2
            let order = compareNames(members[middle].name, name)
            if order == 0 {
                return (middle, true)
            }
            if order < 0 {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return (low, false)
    }

    public static func == (a: JSONObject, b: JSONObject) -> Bool {
        a.count == b.count && zip(a, b).allSatisfy { compareNames($0.name, $1.name) == 0 && $0.value == $1.value }
    }

    public func hash(into hasher: inout Hasher) {
        for (name, value) in members {
            hasher.combine(name)
            hasher.combine(value)
        }
    }
}

/// The order in which the library writes names: that of UTF-16.
func compareNames(_ a: String, _ b: String) -> Int {
    var left = a.utf8.makeIterator(), right = b.utf8.makeIterator()
    while true {
        switch (left.next(), right.next()) {
        case (nil, nil): return 0
        case (nil, _): return -1
        case (_, nil): return 1
        case (let l?, let r?) where l != r:
            // Characters beyond the basic plane are surrogates in UTF-16, which sort before U+E000 to U+FFFF.
            if l >= 0xee, r >= 0xee, (l >= 0xf0) != (r >= 0xf0) {
                return l >= 0xf0 ? -1 : 1
            }
            return Int(l) - Int(r)
        default: break
        }
    }
}

// MARK: - Types

/// What can stand in JSON: the generated types, and what they consist of.
public protocol JSONValue: Sendable {
    /// Reads a value. The error names the member at fault.
    init(json: JSON) throws(UtmError)
    /// Writes the value.
    func write(to writer: inout JSONWriter)
}

extension JSONValue {
    /// Compact JSON. An infinite number, which JSON cannot say, becomes `null`.
    public var jsonText: String {
        var writer = JSONWriter()
        write(to: &writer)
        return writer.text
    }

    /// Reads JSON text.
    public init(jsonText: String) throws(UtmError) {
        try self.init(json: JSON(parsing: jsonText))
    }

    /// Compact JSON; throws ``UtmError/Code/invalidArgument`` for an infinite number.
    public func encodeJSON() throws(UtmError) -> String {
        var writer = JSONWriter()
        write(to: &writer)
        if let problem = writer.problem {
            throw problem
        }
        return writer.text
    }
}

/// A generated type: one of QEMU's, of the guest agent's, or of configurations.
///
/// All of them are `Codable` too, for any coder; ``JSONValue/jsonText`` is the form in which the library has them.
public protocol JSONCodable: JSONValue, Codable, Hashable {}

extension JSONCodable {
    public init(from decoder: any Decoder) throws {
        try self.init(json: JSON(from: decoder))
    }

    public func encode(to encoder: any Encoder) throws {
        try JSON(parsing: try encodeJSON()).encode(to: encoder)
    }

    /// Values are equal when their JSON is.
    public static func == (a: Self, b: Self) -> Bool {
        a.jsonText == b.jsonText
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(jsonText)
    }
}

/// A generated type with members.
public protocol JSONStruct: JSONCodable {
    /// Members that the package does not know: what a newer peer sent, and what you add for one.
    var extras: JSONObject { get set }
    /// For generated code: takes its members.
    init(fields: inout JSONFields) throws(UtmError)
    /// For generated code: writes its members, without braces.
    func writeMembers(to writer: inout JSONWriter)
}

extension JSONStruct {
    public init(json: JSON) throws(UtmError) {
        var fields = try JSONFields(json)
        try self.init(fields: &fields)
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writeMembers(to: &writer)
        writer.endObject()
    }
}

/// An enumeration. Texts that this package does not know are kept, for a newer QEMU has more of them.
public protocol JSONEnum: JSONCodable, RawRepresentable, CustomStringConvertible, CaseIterable where RawValue == String {
    init(rawValue: String)
    /// The texts that this package knows.
    static var knownTexts: [String] { get }
}

extension JSONEnum {
    public init(json: JSON) throws(UtmError) {
        guard case .string(let text) = json else { throw .unfit("must be a string") }
        self.init(rawValue: text)
    }

    public func write(to writer: inout JSONWriter) {
        writer.string(rawValue)
    }

    public static func == (a: Self, b: Self) -> Bool {
        a.rawValue == b.rawValue
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(rawValue)
    }

    public static var allCases: [Self] {
        knownTexts.map { Self(rawValue: $0) }
    }

    /// Whether this package knows it.
    public var isKnown: Bool { Self.knownTexts.contains(rawValue) }
    public var description: String { rawValue }
}

extension UtmError {
    static func unfit(_ message: String) -> UtmError {
        UtmError(code: .qmpMalformed, message: message)
    }

    /// The same error, seen from the object that has the value as a member.
    func under(_ name: String) -> UtmError {
        let path = keyPath.map { $0.hasPrefix("[") ? name + $0 : "\(name).\($0)" } ?? name
        return UtmError(code: code, message: message, keyPath: path)
    }
}

extension JSON: JSONValue {
    public init(json: JSON) {
        self = json
    }

    public func write(to writer: inout JSONWriter) {
        switch self {
        case .null: writer.null()
        case .bool(let value): writer.bool(value)
        case .int(let value): writer.int(value)
        case .uint(let value): writer.int(value)
        case .number(let value): writer.number(value)
        case .string(let value): writer.string(value)
        case .array(let elements): elements.write(to: &writer)
        case .object(let object):
            writer.beginObject()
            for (name, value) in object {
                writer.name(name)
                value.write(to: &writer)
            }
            writer.endObject()
        }
    }
}

extension JSONObject: JSONValue {
    public init(json: JSON) throws(UtmError) {
        guard case .object(let object) = json else { throw .unfit("must be an object") }
        self = object
    }

    public func write(to writer: inout JSONWriter) {
        JSON.object(self).write(to: &writer)
    }
}

extension String: JSONValue {
    public init(json: JSON) throws(UtmError) {
        guard case .string(let text) = json else { throw .unfit("must be a string") }
        self = text
    }

    public func write(to writer: inout JSONWriter) {
        writer.string(self)
    }
}

extension Bool: JSONValue {
    public init(json: JSON) throws(UtmError) {
        guard case .bool(let value) = json else { throw .unfit("must be true or false") }
        self = value
    }

    public func write(to writer: inout JSONWriter) {
        writer.bool(self)
    }
}

extension Double: JSONValue {
    public init(json: JSON) throws(UtmError) {
        switch json {
        case .number(let value): self = value
        case .int(let value): self = Double(value)
        case .uint(let value): self = Double(value)
        default: throw .unfit("must be a number")
        }
    }

    public func write(to writer: inout JSONWriter) {
        writer.number(self)
    }
}

extension JSONValue where Self: FixedWidthInteger & Sendable {
    public init(json: JSON) throws(UtmError) {
        let value: Self?
        switch json {
        case .int(let number): value = Self(exactly: number)
        case .uint(let number): value = Self(exactly: number)
        case .number(let number): value = Self(exactly: number)
        default: value = nil
        }
        guard let value else {
            throw .unfit("must be an integer of \(Self.bitWidth) bits\(Self.isSigned ? "" : " without sign")")
        }
        self = value
    }

    public func write(to writer: inout JSONWriter) {
        writer.int(self)
    }
}

extension Int: JSONValue {}
extension Int8: JSONValue {}
extension Int16: JSONValue {}
extension Int32: JSONValue {}
extension Int64: JSONValue {}
extension UInt8: JSONValue {}
extension UInt16: JSONValue {}
extension UInt32: JSONValue {}
extension UInt64: JSONValue {}

extension Array: JSONValue where Element: JSONValue {
    public init(json: JSON) throws(UtmError) {
        guard case .array(let values) = json else { throw .unfit("must be an array") }
        var elements: [Element] = []
        elements.reserveCapacity(values.count)
        for (index, value) in values.enumerated() {
            do throws(UtmError) {
                elements.append(try Element(json: value))
            } catch {
                throw error.under("[\(index)]")
            }
        }
        self = elements
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginArray()
        for element in self {
            element.write(to: &writer)
        }
        writer.endArray()
    }
}

/// A member that leads to its own type again, which a struct cannot hold in itself.
@propertyWrapper
public struct Indirect<Value: Sendable>: Sendable {
    private final class Storage: Sendable {
        let value: Value

        init(_ value: Value) {
            self.value = value
        }
    }

    private var storage: Storage

    public init(wrappedValue: Value) {
        storage = Storage(wrappedValue)
    }

    public var wrappedValue: Value {
        get { storage.value }
        set { storage = Storage(newValue) }
    }
}

// MARK: - Codable

extension JSON: Codable {
    private struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    public init(from decoder: any Decoder) throws {
        if let container = try? decoder.container(keyedBy: Name.self) {
            self = .object(JSONObject(try container.allKeys.map { ($0.stringValue, try container.decode(JSON.self, forKey: $0)) }))
        } else if var container = try? decoder.unkeyedContainer() {
            var elements: [JSON] = []
            while !container.isAtEnd {
                elements.append(try container.decode(JSON.self))
            }
            self = .array(elements)
        } else {
            self = try JSON(scalar: try decoder.singleValueContainer())
        }
    }

    private init(scalar container: any SingleValueDecodingContainer) throws {
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .int(value)
        } else if let value = try? container.decode(UInt64.self) {
            self = .uint(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else {
            self = .string(try container.decode(String.self))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        switch self {
        case .object(let object):
            var container = encoder.container(keyedBy: Name.self)
            for (name, value) in object {
                try container.encode(value, forKey: Name(stringValue: name))
            }
        case .array(let elements):
            var container = encoder.unkeyedContainer()
            for element in elements {
                try container.encode(element)
            }
        default:
            var container = encoder.singleValueContainer()
            switch self {
            case .bool(let value): try container.encode(value)
            case .int(let value): try container.encode(value)
            case .uint(let value): try container.encode(value)
            case .number(let value): try container.encode(value)
            case .string(let value): try container.encode(value)
            default: try container.encodeNil()
            }
        }
    }
}

// MARK: - Writing

/// Writes compact JSON.
public struct JSONWriter: Sendable {
    private var bytes: [UInt8] = []
    private var needsComma = false
    private var names: Set<String> = []
    /// The first thing that cannot be written. It is kept here, for code that can throw at each member is twice as much code.
    private(set) var problem: UtmError?

    public init() {}

    /// What was written.
    public var text: String { String(decoding: bytes, as: UTF8.self) }

    private mutating func separate() {
        if needsComma {
            bytes.append(UInt8(ascii: ","))
        }
        needsComma = true
    }

    mutating func beginObject() {
        separate()
        bytes.append(UInt8(ascii: "{"))
        needsComma = false
    }

    mutating func endObject() {
        bytes.append(UInt8(ascii: "}"))
        needsComma = true
    }

    mutating func beginArray() {
        separate()
        bytes.append(UInt8(ascii: "["))
        needsComma = false
    }

    mutating func endArray() {
        bytes.append(UInt8(ascii: "]"))
        needsComma = true
    }

    mutating func name(_ name: String) {
        string(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    mutating func null() {
        separate()
        bytes.append(contentsOf: "null".utf8)
    }

    mutating func bool(_ value: Bool) {
        separate()
        bytes.append(contentsOf: (value ? "true" : "false").utf8)
    }

    mutating func int(_ value: some FixedWidthInteger) {
        separate()
        bytes.append(contentsOf: String(value).utf8)
    }

    mutating func number(_ value: Double) {
        guard value.isFinite else {
            problem = problem ?? UtmError(code: .invalidArgument, message: "is infinite, or no number")
            return null()
        }
        separate()
        bytes.append(contentsOf: numberText(value).utf8)
    }

    mutating func string(_ text: String) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            if byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
                bytes.append(byte)
            } else {
                escape(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func escape(_ byte: UInt8) {
        let letters: [UInt8: Character] = [0x22: "\"", 0x5c: "\\", 0x08: "b", 0x0c: "f", 0x0a: "n", 0x0d: "r", 0x09: "t"]
        if let letter = letters[byte] {
            bytes.append(contentsOf: "\\\(letter)".utf8)
        } else {
            let digits = String(byte, radix: 16)
            bytes.append(contentsOf: "\\u00\(digits.count == 1 ? "0" : "")\(digits)".utf8)
        }
    }

    // MARK: What generated code calls

    /// A member that is always there. Extras whose names are before its own go first.
    mutating func member(_ name: String, _ value: some JSONValue, _ rest: inout JSONRest) {
        extras(&rest, before: name)
        self.name(name)
        let isFine = problem == nil
        value.write(to: &self)
        if isFine, let found = problem {
            problem = found.under(name)
        }
    }

    /// A member that may be absent.
    mutating func optional(_ name: String, _ value: (some JSONValue)?, _ rest: inout JSONRest) {
        if let value {
            member(name, value, &rest)
        }
    }

    /// A member that is in a union and in its branch, and is written by the union.
    mutating func once(_ name: String, _ value: (some JSONValue)?, _ rest: inout JSONRest) {
        if let value, names.insert(name).inserted {
            member(name, value, &rest)
        }
    }

    mutating func forgetNames() {
        names = []
    }

    /// What is left of the extras.
    mutating func rest(_ rest: inout JSONRest) {
        extras(&rest, before: nil)
    }

    private mutating func extras(_ rest: inout JSONRest, before name: String?) {
        while rest.at < rest.extras.count {
            let extra = rest.extras[rest.at]
            if let name, compareNames(extra.name, name) >= 0 {
                return
            }
            rest.at += 1
            self.name(extra.name)
            extra.value.write(to: &self)
        }
    }
}

/// The extras of a struct that is being written, and how many of them were.
struct JSONRest {
    let extras: JSONObject
    var at = 0

    init(_ extras: JSONObject) {
        self.extras = extras
    }
}

/// A number as the library writes it: in 15 to 17 digits, as few as give it back, and always with a sign that it is no integer.
private func numberText(_ value: Double) -> String {
    var result = ""
    for digits in 15...17 {
        result = withVaList([CInt(digits), value]) { arguments in
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: 40) { buffer in
                vsnprintf(buffer.baseAddress!, buffer.count, "%.*g", arguments)
                return String(cString: buffer.baseAddress!)
            }
        }
        // The application may have set a locale with another decimal point.
        result = String(result.map { $0.isASCII && $0 != "," ? $0 : "." })
        if Double(result) == value {
            break
        }
    }
    return result.contains { $0 == "." || $0 == "e" } ? result : result + ".0"
}
