// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CUtm

/// Which program runs a machine.
public enum Backend: UInt32, Sendable {
    case qemu = 1
    /// Apple's Virtualization framework. Such machines can be read, edited and written, but not run.
    case apple = 2
}

/// The configuration of a machine as values, named by key paths in the words of the property list: `System.MemorySize`,
/// `Drive[1].ImageName`. A wrong path, type or value is an error that names the path. Keys that the library does not know are
/// kept.
///
/// It is a value: a copy is independent, and what a bundle or a machine gives is a copy. ``decode(_:at:)`` gives a part of it
/// as a struct.
public struct Config: Sendable, Equatable {
    /// The format of the file that a configuration was read from.
    public enum Format: UInt32, Sendable {
        /// Version 4, of either back end, or no file at all.
        case current = 0
        /// Versions 0 to 2 of UTM 1 to 3, for QEMU.
        case legacyQEMU = 1
        /// Versions 1 to 3 of UTM 3, for Apple's framework.
        case legacyApple = 2
    }

    /// Something that the migration of an older file could not carry over as it was.
    public struct Note: Sendable, Hashable {
        public enum Kind: UInt32, Sendable {
            /// It had no effect in the old machine either, or says what the new one does anyway.
            case info = 1
            /// It was changed, because what it said is not possible.
            case changed = 2
            /// It is left out, because version 4 has no place for it.
            case dropped = 3
        }

        public let kind: Kind
        /// Where it stood, in the words of the old file.
        public let keyPath: String
        /// One line for people.
        public let reason: String
    }

    /// Bytes: `{"$data": BASE64}` in JSON.
    public struct Data: JSONCodable {
        public var bytes: [UInt8]

        public init(_ bytes: [UInt8]) {
            self.bytes = bytes
        }

        public init(json: JSON) throws(UtmError) {
            guard case .object(let object) = json, object.count == 1, case .string(let text) = object["$data"],
                let bytes = try? Base64.decode(text)
            else { throw .unfit("must be {\"$data\": BASE64}") }
            self.bytes = bytes
        }

        public func write(to writer: inout JSONWriter) {
            JSON.object(["$data": .string(Base64.encode(bytes))]).write(to: &writer)
        }
    }

    /// How files are read.
    public struct LoadOptions: Sendable {
        /// A migration gives what UTM gives, its known faults included.
        public var isUTMExact: Bool
        /// Name of the machine, for versions that do not store it.
        public var name: String?
        /// Processor architecture of the host, on which the migration of some values depends. Nil: this host's.
        public var hostArchitecture: String?

        public init(isUTMExact: Bool = false, name: String? = nil, hostArchitecture: String? = nil) {
            self.isUTMExact = isUTMExact
            self.name = name
            self.hostArchitecture = hostArchitecture
        }

        func with<Result>(
            _ body: (UnsafePointer<UtmConfigLoadOptions>) throws(UtmError) -> Result
        ) throws(UtmError) -> Result {
            let arena = Arena()
            defer { withExtendedLifetime(arena) {} }
            var c = UtmConfigLoadOptions()
            c.size = MemoryLayout<UtmConfigLoadOptions>.size
            c.flags = isUTMExact ? UTM_CONFIG_LOAD_UTM_EXACT.rawValue : 0
            c.name = arena.string(name)
            c.host_architecture = arena.string(hostArchitecture)
            return try body(&c)
        }
    }

    /// The values. Unchecked: whoever has the only reference may write, others only read, see `writable()`; reading from several
    /// threads at once is what the library allows.
    private final class Storage: @unchecked Sendable {
        let raw: OpaquePointer
        /// Nobody but us has a reference.
        let isOwn: Bool

        init(_ raw: OpaquePointer, isOwn: Bool) {
            self.raw = raw
            self.isOwn = isOwn
        }

        deinit {
            utm_config_unref(raw)
        }
    }

    private var storage: Storage

    private init(taking raw: OpaquePointer) {
        storage = Storage(raw, isOwn: true)
    }

    /// What a bundle or a machine has, which may not be changed.
    init(sharing raw: OpaquePointer) {
        storage = Storage(utm_config_ref(raw), isOwn: false)
    }

    /// For functions that read.
    func withRaw<Result, Failure: Error>(
        _ body: (OpaquePointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        defer { withExtendedLifetime(storage) {} }
        return try body(storage.raw)
    }

    private mutating func write(_ body: (OpaquePointer, ErrorOut) -> CInt) throws(UtmError) {
        if !storage.isOwn || !isKnownUniquelyReferenced(&storage) {
            storage = Storage(utm_config_copy(storage.raw), isOwn: true)
        }
        let raw = storage.raw
        try call { body(raw, $0) }
    }

    // MARK: - Where configurations come from

    /// Makes the configuration of a new machine, with the devices that UTM gives one of that architecture and machine type.
    ///
    /// - Parameters:
    ///   - architecture: Of the guest. Nil: `x86_64`; `aarch64` for Apple.
    ///   - target: Machine type of QEMU. Nil: the one that suits the architecture.
    ///   - hostArchitecture: Nil: this host's.
    ///   - isUTMExact: What UTM gives even where the machine cannot start with it.
    public init(
        name: String? = nil, architecture: String? = nil, target: String? = nil, backend: Utm.Backend = .qemu,
        hostArchitecture: String? = nil, isUTMExact: Bool = false
    ) throws(UtmError) {
        let arena = Arena()
        defer { withExtendedLifetime(arena) {} }
        var c = UtmConfigNewOptions()
        c.size = MemoryLayout<UtmConfigNewOptions>.size
        c.backend = UtmBackend(rawValue: backend.rawValue)
        c.architecture = arena.string(architecture)
        c.target = arena.string(target)
        c.name = arena.string(name)
        c.host_architecture = arena.string(hostArchitecture)
        c.flags = isUTMExact ? UTM_CONFIG_NEW_UTM_EXACT.rawValue : 0
        self.init(taking: try make { utm_config_new_default(&c, $0, $1) })
    }

    /// Reads a property list file of any version, XML or binary.
    public init(contentsOf path: String, options: LoadOptions = LoadOptions()) throws(UtmError) {
        self.init(taking: try options.with { (c) throws(UtmError) in try make { utm_config_load_file(path, c, $0, $1) } })
    }

    /// Reads a property list.
    public init(propertyList bytes: [UInt8], options: LoadOptions = LoadOptions()) throws(UtmError) {
        self.init(
            taking: try options.with { (c) throws(UtmError) in
                try make { made, error in
                    bytes.withUnsafeBytes { utm_config_load_data($0.baseAddress, $0.count, c, made, error) }
                }
            })
    }

    /// Reads JSON with the keys of the property list, as ``json(at:)`` writes it.
    public init(json: String, options: LoadOptions = LoadOptions()) throws(UtmError) {
        self.init(taking: try options.with { (c) throws(UtmError) in try make { utm_config_load_json(json, c, $0, $1) } })
    }

    public static func == (a: Config, b: Config) -> Bool {
        a.withRaw { a in b.withRaw { b in utm_config_equal(a, b) } }
    }

    // MARK: - What they are

    /// `Information.Name`
    public var name: String { withRaw { text(utm_config_get_name($0)) ?? "" } }
    /// `Information.UUID`, in upper case.
    public var uuid: String { withRaw { text(utm_config_get_uuid($0)) ?? "" } }
    public var backend: Utm.Backend { Utm.Backend(rawValue: withRaw { utm_config_get_backend($0).rawValue }) ?? .qemu }

    /// What the values were read from, and its version in that format, 0 when the file did not say.
    public var format: (format: Format, version: Int64) {
        var version: Int64 = 0
        let format = withRaw { utm_config_get_format($0, &version) }
        return (Format(rawValue: format.rawValue) ?? .current, version)
    }

    /// What a migration left out or changed.
    public var notes: [Note] {
        withRaw { raw in
            (0..<utm_config_get_note_count(raw)).map { index in
                let note = utm_config_get_note(raw, index)!.pointee
                return Note(
                    kind: Note.Kind(rawValue: note.kind.rawValue) ?? .info, keyPath: Utm.text(note.key_path) ?? "",
                    reason: text(note.reason) ?? "")
            }
        }
    }

    /// How UTM attaches a new drive with a value of `Drive[].ImageType`; nil for a machine of the Apple back end.
    public func defaultInterface(forImageType type: String) -> String? {
        withRaw { text(utm_config_get_default_interface($0, type)) }
    }

    // MARK: - Reading

    /// Whether an optional key has a value.
    public func has(_ keyPath: String) throws(UtmError) -> Bool {
        var present = false
        try read { utm_config_has($0, keyPath, &present, $1) }
        return present
    }

    /// Whether a key has an effect as things are; what has none may be set all the same.
    public func isUsed(_ keyPath: String) throws(UtmError) -> Bool {
        var used = false
        try read { utm_config_is_used($0, keyPath, &used, $1) }
        return used
    }

    /// An integer, in the unit of its key. Throws ``UtmError/Code/notFound`` when it is absent.
    public func int(_ keyPath: String) throws(UtmError) -> Int64 {
        var value: Int64 = 0
        try read { utm_config_get_int($0, keyPath, &value, $1) }
        return value
    }

    /// A boolean. Throws ``UtmError/Code/notFound`` when it is absent.
    public func bool(_ keyPath: String) throws(UtmError) -> Bool {
        var value = false
        try read { utm_config_get_bool($0, keyPath, &value, $1) }
        return value
    }

    /// A string, an identifier or an enumeration. Throws ``UtmError/Code/notFound`` when it is absent.
    public func string(_ keyPath: String) throws(UtmError) -> String {
        var value: UnsafeMutablePointer<CChar>?
        try read { utm_config_get_string($0, keyPath, &value, $1) }
        return takeText(value) ?? ""
    }

    /// Number of elements of an array such as `Drive`.
    public func count(_ keyPath: String) throws(UtmError) -> Int {
        var value = 0
        try read { utm_config_get_count($0, keyPath, &value, $1) }
        return value
    }

    /// A part as JSON with the keys of the property list, indented; nil is everything.
    public func json(at keyPath: String? = nil) throws(UtmError) -> String {
        var value: UnsafeMutablePointer<CChar>?
        try read { utm_config_to_json($0, keyPath, &value, $1) }
        return takeText(value) ?? ""
    }

    /// A section, an element or a value as a type, such as `Config.Drive` of `Drive[1]`.
    public func decode<Value: JSONValue>(_ type: Value.Type = Value.self, at keyPath: String? = nil) throws(UtmError) -> Value {
        try JSON(parsing: try json(at: keyPath)).decode(type)
    }

    /// The configuration as UTM writes it: an XML property list.
    public func propertyList() throws(UtmError) -> [UInt8] {
        var data: UnsafeMutablePointer<CChar>?
        var count = 0
        try read { utm_config_to_plist($0, &data, &count, $1) }
        return takeBytes(data, count)
    }

    private func read(_ body: (OpaquePointer, ErrorOut) -> CInt) throws(UtmError) {
        try withRaw { (raw) throws(UtmError) in _ = try call { body(raw, $0) } }
    }

    // MARK: - Writing

    /// Writes an integer; its range is checked.
    public mutating func set(_ keyPath: String, to value: Int64) throws(UtmError) {
        try write { utm_config_set_int($0, keyPath, value, $1) }
    }

    /// Writes a boolean.
    public mutating func set(_ keyPath: String, to value: Bool) throws(UtmError) {
        try write { utm_config_set_bool($0, keyPath, value, $1) }
    }

    /// Writes a string or an enumeration; nil clears an optional key.
    public mutating func set(_ keyPath: String, to value: String?) throws(UtmError) {
        try write { utm_config_set_string($0, keyPath, value, $1) }
    }

    /// Writes a section, an element or a value. Keys of a section that `value` leaves out stay as they are.
    public mutating func encode(_ value: some JSONValue, at keyPath: String) throws(UtmError) {
        try setText(keyPath, to: value.jsonText)
    }

    /// Writes any value from text: `true`, `4096`, `VirtIO`, or JSON for a section or an array.
    public mutating func setText(_ keyPath: String, to text: String) throws(UtmError) {
        try write { utm_config_set_text($0, keyPath, text, $1) }
    }

    /// Inserts an element into an array such as `Drive`; keys left out of the JSON get what fits the machine.
    ///
    /// - Parameter index: Where; nil for the end.
    public mutating func insert(_ json: String, into keyPath: String, at index: Int? = nil) throws(UtmError) {
        try write { utm_config_insert($0, keyPath, Int64(index ?? -1), json, $1) }
    }

    /// Removes an element of an array (`Drive[1]`) or clears an optional key.
    public mutating func remove(_ keyPath: String) throws(UtmError) {
        try write { utm_config_remove($0, keyPath, $1) }
    }

    // MARK: - Checking and running

    /// Everything that is wrong, with hosts in general or with one.
    ///
    /// - Parameters:
    ///   - host: The host that the machine is to run on.
    ///   - hardware: What the QEMU has that is to run it.
    public func check(on host: HostFacts? = nil, hardware: Hardware? = nil) throws(UtmError) -> Findings {
        try Findings.with(host, hardware) { (c) throws(UtmError) in
            try withRaw { (raw) throws(UtmError) in try make { utm_config_check(raw, c, $0, $1) } }
        }
    }

    /// The command line of the machine on a host; pure, nothing is looked up.
    ///
    /// - Parameter bundlePath: Where the package is, for the paths of its files.
    public func commandLine(bundlePath: String, on host: HostFacts) throws(UtmError) -> Argv {
        try withRaw { (raw) throws(UtmError) in
            Argv(taking: try make { utm_argv_build(raw, bundlePath, host.handle.raw, $0, $1) })
        }
    }

    /// The additional arguments, split as UTM splits them. They may do anything that QEMU can: show them before a machine of
    /// a stranger runs.
    public func userArguments() throws(UtmError) -> [String] {
        var made: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
        try read { utm_argv_list_user_arguments($0, &made, $1) }
        defer { utm_free(made) }
        var texts: [String] = []
        while let text = made?[texts.count] {
            texts.append(String(cString: text))
        }
        return texts
    }

    /// Reads `view.plist`, which older packages have beside their configuration.
    public static func viewState(
        propertyList bytes: [UInt8], options: LoadOptions = LoadOptions()
    ) throws(UtmError) -> JSON {
        let value = try options.with { (c) throws(UtmError) in
            try make { made, error in
                bytes.withUnsafeBytes { utm_view_state_load_data($0.baseAddress, $0.count, c, made, error) }
            }
        }
        return try JSON(taking: value)
    }
}
