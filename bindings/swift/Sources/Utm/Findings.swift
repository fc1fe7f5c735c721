// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CUtm

/// One thing that is wrong with a configuration or a package.
public struct Finding: Sendable, Hashable {
    /// How bad it is.
    public enum Severity: UInt32, Sendable, Comparable, CustomStringConvertible {
        /// Somebody may want to know.
        case info = 1
        /// The machine starts, but not as the configuration says.
        case warning = 2
        /// The machine cannot start, or UTM refuses the file.
        case error = 3

        public static func < (a: Severity, b: Severity) -> Bool { a.rawValue < b.rawValue }
        public var description: String { text(utm_finding_severity_get_name(rawValue)) ?? "" }
    }

    /// What it is, for programs; `findings.md` of the installed documentation lists all.
    public struct Code: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
        public let rawValue: UInt32

        public init(rawValue: UInt32) {
            self.rawValue = rawValue
        }

        /// Such as `drive-without-image`.
        public var description: String { text(utm_finding_code_get_name(rawValue)) ?? "finding \(rawValue)" }
    }

    public let severity: Severity
    public let code: Code
    /// Where, such as `Drive[1].ImageName`; nil for what no key says.
    public let keyPath: String?
    /// What and why, one line.
    public let message: String
    /// What to do about it, one line.
    public let remedy: String
    /// The file that it is about.
    public let file: String?

    init(_ c: UtmFinding) {
        severity = Severity(rawValue: c.severity) ?? .info
        code = Code(rawValue: c.code)
        keyPath = text(c.key_path)
        message = text(c.message) ?? ""
        remedy = text(c.remedy) ?? ""
        file = text(c.file)
    }
}

/// What a check found: first errors, then warnings, then the rest.
public struct Findings: Sendable, RandomAccessCollection {
    private let findings: [Finding]
    /// The worst of all; nil when nothing was found.
    public let severity: Finding.Severity?

    init(taking raw: OpaquePointer) {
        findings = (0..<utm_findings_get_count(raw)).map { Finding(utm_findings_get(raw, $0)!.pointee) }
        severity = Finding.Severity(rawValue: utm_findings_get_severity(raw))
        utm_findings_free(raw)
    }

    public var startIndex: Int { 0 }
    public var endIndex: Int { findings.count }
    public subscript(index: Int) -> Finding { findings[index] }

    static func with(
        _ host: HostFacts?, _ hardware: Hardware?,
        _ body: (UnsafePointer<UtmConfigCheckOptions>) throws(UtmError) -> OpaquePointer
    ) throws(UtmError) -> Findings {
        defer { withExtendedLifetime((host, hardware)) {} }
        var c = UtmConfigCheckOptions()
        c.size = MemoryLayout<UtmConfigCheckOptions>.size
        c.host = host?.handle.raw
        c.hardware = hardware?.handle.raw
        return Findings(taking: try body(&c))
    }
}
