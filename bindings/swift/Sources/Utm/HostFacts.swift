// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CUtm

/// Facts about a host that decide how a configuration becomes a command line.
public final class HostFacts: Sendable {
    /// The operating system whose command line is built.
    public enum OS: UInt32, Sendable {
        /// Stock QEMU on Linux.
        case linux = 0
        /// UTM's own QEMU on macOS.
        case macOS = 1
    }

    /// Something of the host.
    public struct Item: Sendable, Hashable {
        /// What kinds there are.
        public enum Kind: UInt32, Sendable, CaseIterable {
            /// QEMU programs, by guest architecture; only of ``HostFacts/probeAll(architecture:in:)``.
            case qemu = 0
            case accelerator = 1
            /// Sound systems in QEMU's words.
            case audio = 2
            /// What OpenGL for guests takes.
            case graphics = 3
            /// Programs beside QEMU.
            case tool = 4
        }

        /// Whether it works.
        public enum State: UInt32, Sendable {
            /// It was not tried; the reason may say why.
            case unknown = 0
            case works = 1
            /// It is there, and does not work.
            case fails = 2
            case absent = 3
        }

        public let state: State
        public let name: String
        /// Why it does not work, or what is known of it: one line for people.
        public let reason: String?
        /// The program or device.
        public let path: String?
        public let version: String?
    }

    let handle: Handle

    private init(taking raw: OpaquePointer) {
        handle = Handle(raw)
    }

    deinit {
        utm_host_unref(handle.raw)
    }

    /// The facts of this host that a configuration's architecture needs.
    public static func probe(for config: Config, in context: Context? = nil) async throws(UtmError) -> HostFacts {
        let context = try Context.given(context)
        return try await offload { (_) throws(UtmError) in try probe(config, context) }
    }

    private static func probe(_ config: Config, _ context: Context) throws(UtmError) -> HostFacts {
        HostFacts(
            taking: try config.withRaw { (raw) throws(UtmError) in
                try make { utm_host_probe(context.handle.raw, raw, $0, $1) }
            })
    }

    /// All that there is to know about this host, for people and for forms. It takes seconds the first time.
    ///
    /// - Parameter architecture: Of the guest. Nil: the host's.
    public static func probeAll(architecture: String? = nil, in context: Context? = nil) async throws(UtmError) -> HostFacts {
        let context = try Context.given(context)
        return try await offload { (_) throws(UtmError) in
            HostFacts(taking: try make { utm_host_probe_all(context.handle.raw, architecture, $0, $1) })
        }
    }

    /// Facts written by hand as JSON; those left out get the values of a typical host.
    public init(os: OS, json: String? = nil) throws(UtmError) {
        handle = Handle(try make { utm_host_new_from_json(os.rawValue, json, $0, $1) })
    }

    /// The facts as JSON.
    public func json() throws(UtmError) -> String {
        try makeText { utm_host_to_json(handle.raw, $0, $1) }
    }

    /// What is known of a kind.
    public func items(_ kind: Item.Kind) -> [Item] {
        let kind = UtmHostItemKind(rawValue: kind.rawValue)
        return (0..<utm_host_get_item_count(handle.raw, kind)).compactMap { index in
            var c = UtmHostItem()
            c.size = MemoryLayout<UtmHostItem>.size
            guard utm_host_get_item(handle.raw, kind, index, &c, nil) == 0 else { return nil }
            return Item(
                state: Item.State(rawValue: c.state) ?? .unknown, name: text(c.name) ?? "", reason: text(c.reason),
                path: text(c.path), version: text(c.version))
        }
    }
}

/// A QEMU command line, and where each of its arguments came from.
public final class Argv: Sendable {
    /// One argument.
    public struct Argument: Sendable, Hashable {
        public let text: String
        /// The key that it came from; nil when it is always there.
        public let keyPath: String?
        /// Why it is there, one sentence.
        public let reason: String?
    }

    private let handle: Handle

    init(taking raw: OpaquePointer) {
        handle = Handle(raw)
    }

    deinit {
        utm_argv_unref(handle.raw)
    }

    /// Such as `qemu-system-x86_64`; its path when the host facts have one.
    public var program: String { text(utm_argv_get_program(handle.raw)) ?? "" }

    /// All arguments after the program.
    public var strings: [String] {
        guard let strings = utm_argv_get_strings(handle.raw) else { return [] }
        return (0..<utm_argv_get_count(handle.raw)).map { text(strings[$0]) ?? "" }
    }

    /// All arguments after the program, explained.
    public var arguments: [Argument] {
        strings.enumerated().map { index, string in
            Argument(
                text: string, keyPath: text(utm_argv_get_key_path(handle.raw, index)),
                reason: text(utm_argv_get_reason(handle.raw, index)))
        }
    }

    /// Things that the configuration asks for and this host does not give.
    public var warnings: [String] {
        (0..<utm_argv_get_warning_count(handle.raw)).compactMap { text(utm_argv_get_warning(handle.raw, $0)) }
    }

    /// A script for the POSIX shell that runs as it is.
    public func shellScript() throws(UtmError) -> String {
        try makeText { utm_argv_to_shell(handle.raw, $0, $1) }
    }
}
