// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CUtm

/// What configurations consist of: every section and key with its type, range, allowed values, defaults and a sentence for
/// people. Enough to build a settings form without knowing any key.
public enum ConfigSchema {
    /// What the value of a key is; of an array, each element.
    public enum Kind: Sendable {
        case bool
        /// From -2^63 to 2^63-1; ``Key/minimum`` and ``Key/maximum`` say whether edits keep to less.
        case int
        case number
        /// ``Key/format`` may say more.
        case string
        /// An identifier in 8-4-4-4-12 form.
        case uuid
        /// Bytes: `{"$data": BASE64}` in JSON.
        case data
        /// One of some words.
        case enumeration(Enumeration)
        /// Keys of its own.
        case section(Section)
    }

    /// Keys that belong together.
    public struct Section: Sendable {
        let type: UInt32
        /// Such as `Drive`; no two have the same.
        public let name: String
        /// A sentence for people.
        public let doc: String
        let count: Int

        /// Its keys, in an order that suits people.
        public var keys: [Key] {
            (0..<count).compactMap { index in
                Key.told { utm_config_schema_get_key(type, index, $0, nil) }
            }
        }
    }

    /// A set of words.
    public struct Enumeration: Sendable {
        /// One of its words.
        public struct Value: Sendable {
            /// What the property list has, such as `VirtIO`.
            public let text: String
            /// A sentence for people.
            public let doc: String
            /// The architectures of guests for which it means something. Nil: all.
            public let architectures: [String]?
        }

        let type: UInt32
        /// Such as `DriveInterface`.
        public let name: String
        /// A sentence for people.
        public let doc: String
        let count: Int

        public var values: [Value] {
            (0..<count).compactMap { index in
                var c = UtmConfigValue()
                c.size = MemoryLayout<UtmConfigValue>.size
                guard utm_config_schema_get_value(type, index, &c, nil) == 0 else { return nil }
                return Value(text: text(c.text) ?? "", doc: text(c.doc) ?? "", architectures: words(c.architectures))
            }
        }
    }

    /// A key of a section. Conditions are JSON about other keys, such as `{"key":"Mode","in":["Bridged"]}`.
    public struct Key: Sendable {
        /// Such as `MemorySize`.
        public let name: String
        /// An earlier name, which is read, but not written.
        public let oldName: String?
        /// A sentence for people.
        public let doc: String
        /// Such as `MiB`.
        public let unit: String?
        /// What a string says, such as `file` or `mac-address`.
        public let format: String?
        /// What reading a file gives without the key, as JSON.
        public let defaultJSON: String?
        /// Of a boolean: what reading gives without the key is whether this condition holds.
        public let defaultCondition: String?
        /// What a new object has, as JSON.
        public let newJSON: String?
        /// The condition under which the value has an effect. Nil: always.
        public let useCondition: String?
        /// The condition under which an optional key must be there when a file is read. Nil: never.
        public let requiredCondition: String?
        /// The architectures of guests for which the key means something. Nil: all.
        public let architectures: [String]?
        public let kind: Kind
        /// The smallest integer that edits accept.
        public let minimum: Int64?
        /// The largest integer that edits accept.
        public let maximum: Int64?
        public let isArray: Bool
        /// It may be absent.
        public let isOptional: Bool
        /// Edits refuse it.
        public let isFixed: Bool
        /// Each new object gets another one.
        public let isGenerated: Bool
        /// Only early files have it; it is never written.
        public let isObsolete: Bool

        static func told(_ tell: (UnsafeMutablePointer<UtmConfigKey>) -> CInt) -> Key? {
            var c = UtmConfigKey()
            c.size = MemoryLayout<UtmConfigKey>.size
            return tell(&c) == 0 ? Key(c) : nil
        }

        init(_ c: UtmConfigKey) {
            name = text(c.name) ?? ""
            oldName = text(c.old_name)
            doc = text(c.doc) ?? ""
            unit = text(c.unit)
            format = text(c.format)
            defaultJSON = text(c.default_json)
            defaultCondition = text(c.default_if)
            newJSON = text(c.new_json)
            useCondition = text(c.used_if)
            requiredCondition = text(c.required_if)
            architectures = words(c.architectures)
            kind = ConfigSchema.kind(c.kind, c.type)
            minimum = c.has_min ? c.min : nil
            maximum = c.has_max ? c.max : nil
            isArray = c.is_array
            isOptional = c.is_optional
            isFixed = c.is_fixed
            isGenerated = c.is_generated
            isObsolete = c.is_obsolete
        }
    }

    /// The section that a whole configuration is.
    public static func root(of backend: Backend) -> Section {
        section(utm_config_schema_get_root(UtmBackend(rawValue: backend.rawValue)))
    }

    /// The key that a path leads to; `Drive[1].Interface` is `Drive[].Interface`.
    public static func key(at keyPath: String, of backend: Backend = .qemu) throws(UtmError) -> Key {
        var c = UtmConfigKey()
        c.size = MemoryLayout<UtmConfigKey>.size
        try call { utm_config_schema_find_key(UtmBackend(rawValue: backend.rawValue), keyPath, &c, $0) }
        return Key(c)
    }

    private static func type(_ number: UInt32) -> UtmConfigType {
        var c = UtmConfigType()
        c.size = MemoryLayout<UtmConfigType>.size
        _ = utm_config_schema_get_type(number, &c, nil)
        return c
    }

    private static func section(_ number: UInt32) -> Section {
        let c = type(number)
        return Section(type: number, name: text(c.name) ?? "", doc: text(c.doc) ?? "", count: c.count)
    }

    private static func kind(_ kind: UtmConfigKind, _ number: UInt32) -> Kind {
        switch kind {
        case UTM_CONFIG_KIND_BOOL: return .bool
        case UTM_CONFIG_KIND_INT: return .int
        case UTM_CONFIG_KIND_NUMBER: return .number
        case UTM_CONFIG_KIND_UUID: return .uuid
        case UTM_CONFIG_KIND_DATA: return .data
        case UTM_CONFIG_KIND_SECTION: return .section(section(number))
        case UTM_CONFIG_KIND_ENUM:
            let c = type(number)
            return .enumeration(
                Enumeration(type: number, name: text(c.name) ?? "", doc: text(c.doc) ?? "", count: c.count))
        default: return .string
        }
    }

}

private func words(_ c: UnsafePointer<CChar>?) -> [String]? {
    text(c)?.split(separator: " ").map(String.init)
}
