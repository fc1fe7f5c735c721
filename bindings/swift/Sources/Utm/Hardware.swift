// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CUtm

/// What machines, processors and devices there are for an architecture, for lists to choose from.
public final class Hardware: Sendable {
    /// What there are lists of.
    public enum Kind: UInt32, Sendable, CaseIterable {
        /// Machine types: `System.Target`.
        case machine = 0
        /// Processors: `System.CPU`. The first is `default`, the choice of the library.
        case cpu = 1
        /// Features of processors: `System.CPUFlagsAdd`, `System.CPUFlagsRemove`.
        case cpuFlag = 2
        /// `Display[].Hardware`
        case display = 3
        /// `Network[].Hardware`
        case network = 4
        /// `Sound[].Hardware`
        case sound = 5
        /// Properties of one machine type or device: ``Hardware/properties(of:named:architecture:in:)`` alone has them.
        case property = 6
    }

    /// One of a list.
    public struct Item: Sendable, Hashable {
        public struct Flags: OptionSet, Sendable, Hashable {
            public let rawValue: UInt32

            public init(rawValue: UInt32) {
                self.rawValue = rawValue
            }

            /// QEMU takes it when nothing is said.
            public static let standard = Flags(rawValue: 1)
            /// QEMU means to drop it.
            public static let deprecated = Flags(rawValue: 2)
            /// It is part of a board: only machines that have it can use it.
            public static let onBoard = Flags(rawValue: 4)
            /// Newer releases of QEMU have it no more.
            public static let gone = Flags(rawValue: 8)
        }

        /// As configurations have it.
        public let name: String
        /// Another name for the same.
        public let alias: String?
        /// One line for people, QEMU's own.
        public let description: String?
        /// The bus that a device is plugged into, in QEMU's word.
        public let bus: String?
        /// The processor of a machine type when nothing is said.
        public let cpu: String?
        public let flags: Flags
        /// The most processors that a machine type can have.
        public let maximumCPUs: Int?
        /// The release of QEMU that is known to have it, where older ones do not.
        public let since: String?
        /// Of a property: QEMU's word for what it takes.
        public let type: String?
        /// Of a property: what it is when nothing is said, as JSON.
        public let defaultJSON: String?

        init(_ c: UtmHardwareItem) {
            name = text(c.name) ?? ""
            alias = text(c.alias)
            description = text(c.description)
            bus = text(c.bus)
            cpu = text(c.cpu)
            flags = Flags(rawValue: c.flags)
            maximumCPUs = c.max_cpus == 0 ? nil : Int(c.max_cpus)
            since = text(c.since)
            type = text(c.type)
            defaultJSON = text(c.default_json)
        }
    }

    let handle: Handle

    private init(taking raw: OpaquePointer) {
        handle = Handle(raw)
    }

    deinit {
        utm_hardware_unref(handle.raw)
    }

    /// What the installed QEMU has; without one the list that the library brings.
    ///
    /// - Parameter installedOnly: Without QEMU, throw ``UtmError/Code/qemuNotFound``.
    public static func query(
        _ architecture: String, installedOnly: Bool = false, in context: Context? = nil
    ) async throws(UtmError) -> Hardware {
        let context = try Context.given(context)
        let flags = installedOnly ? UTM_HARDWARE_INSTALLED_ONLY.rawValue : 0
        let handle: Handle = try await perform { _, data, error in
            utm_hardware_query_async(
                context.handle.raw, architecture, flags,
                { _, hardware, error, data in
                    Waiting<Handle>.from(data).finish(error) { Handle(hardware!) }
                }, data, Pending.free, error)
        }
        return Hardware(taking: handle.raw)
    }

    /// What may stand behind a machine type in `-machine`, or behind a device in `-device`: items of ``Kind/property``.
    public static func properties(
        of kind: Kind, named name: String, architecture: String, in context: Context? = nil
    ) async throws(UtmError) -> Hardware {
        let context = try Context.given(context)
        let handle: Handle = try await perform { _, data, error in
            utm_hardware_query_properties_async(
                context.handle.raw, architecture, UtmHardwareKind(rawValue: kind.rawValue), name,
                { _, hardware, error, data in
                    Waiting<Handle>.from(data).finish(error) { Handle(hardware!) }
                }, data, Pending.free, error)
        }
        return Hardware(taking: handle.raw)
    }

    /// The list that the library brings; nothing is run.
    public static func known(_ architecture: String) throws(UtmError) -> Hardware {
        Hardware(taking: try make { utm_hardware_query(nil, architecture, 0, $0, $1) })
    }

    /// The architecture that was asked about.
    public var architecture: String { text(utm_hardware_get_architecture(handle.raw)) ?? "" }
    /// The version of the QEMU that told it.
    public var qemuVersion: String { text(utm_hardware_get_qemu_version(handle.raw)) ?? "" }
    /// The program that told it; nil for the list that the library brings.
    public var qemuPath: String? { text(utm_hardware_get_qemu_path(handle.raw)) }

    /// All of a kind, in the order of the names.
    public func items(_ kind: Kind) -> [Item] {
        let kind = UtmHardwareKind(rawValue: kind.rawValue)
        return (0..<utm_hardware_get_count(handle.raw, kind)).map { Item(utm_hardware_get(handle.raw, kind, $0)!.pointee) }
    }

    /// The item with this name or alias.
    public func item(_ kind: Kind, named name: String) -> Item? {
        utm_hardware_find(handle.raw, UtmHardwareKind(rawValue: kind.rawValue), name).map { Item($0.pointee) }
    }
}
