// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CUtm

/// What went wrong. Every function of the package that throws throws this.
///
/// `description` is the whole of it as text: one line `FILE: KEY PATH: MESSAGE (code name)` and, below it, the remedy.
///
/// A task that is cancelled gets an error with the code ``Code/cancelled``, as one that gives up a call by a
/// ``CancelToken`` does.
public struct UtmError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of failure it is; `errors.md` of the installed documentation lists all.
    public struct Code: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
        /// The number, which is negative.
        public let rawValue: Int32

        /// The code with a number, which may be one that this package has no name for.
        public init(rawValue: Int32) {
            self.rawValue = rawValue
        }

        /// Such as `bundle-path-escape`.
        public var name: String {
            text(utm_error_code_get_name(rawValue)) ?? "error \(rawValue)"
        }

        /// One sentence, for people.
        public var meaning: String? {
            text(utm_error_code_get_meaning(rawValue))
        }

        public var description: String { name }
    }

    /// Which part of the library failed.
    public struct Domain: RawRepresentable, Sendable, Hashable {
        public let rawValue: Int32

        public init(rawValue: Int32) {
            self.rawValue = rawValue
        }
    }

    /// What kind of failure it is.
    public let code: Code
    /// Which part of the library failed.
    public let domain: Domain
    /// One line for people: what failed and why, without what the other members tell.
    public let message: String
    /// Of the configuration value at fault, such as `Drive[1].ImageName`.
    public let keyPath: String?
    /// File or program at fault.
    public let file: String?
    /// What to do about it, one line for people.
    public let remedy: String
    /// Class of the error that QEMU answered, such as `DeviceNotFound`.
    public let qmpClass: String?
    /// The operating system's errno.
    public let errno: Int32?
    /// Exit status of the process at fault, 128 + signal number when a signal ended it.
    public let exitStatus: Int32?
    /// The last lines that the process at fault wrote to its standard error.
    public let stderrTail: String?
    public let description: String

    /// A copy of what a callback was given.
    init(copying error: OpaquePointer) {
        code = Code(rawValue: utm_error_get_code(error))
        domain = Domain(rawValue: utm_error_get_domain(error))
        message = text(utm_error_get_message(error)) ?? ""
        keyPath = text(utm_error_get_key_path(error))
        file = text(utm_error_get_file(error))
        remedy = text(utm_error_get_remedy(error)) ?? ""
        qmpClass = text(utm_error_get_qmp_class(error))
        let number = utm_error_get_errno(error)
        errno = number == 0 ? nil : number
        let status = utm_error_get_exit_status(error)
        exitStatus = status < 0 ? nil : status
        stderrTail = text(utm_error_get_stderr_tail(error))
        description = takeText(utm_error_dup_text(error)) ?? message
    }

    /// What a call gave to its caller.
    init(taking error: OpaquePointer?, code: CInt) {
        if let error {
            self.init(copying: error)
            utm_error_unref(error)
        } else {
            self.init(code: Code(rawValue: code), message: text(utm_error_code_get_meaning(code)) ?? "")
        }
    }

    /// An error of the package's own.
    init(code: Code, message: String, keyPath: String? = nil) {
        self.code = code
        domain = Domain(rawValue: -code.rawValue / 100 + 1)
        self.message = message
        self.keyPath = keyPath
        file = nil
        remedy = ""
        qmpClass = nil
        errno = nil
        exitStatus = nil
        stderrTail = nil
        description = "\(keyPath.map { $0 + ": " } ?? "")\(message) (\(code.name))"
    }

    /// An error that a callback has: nil for none.
    static func of(_ error: OpaquePointer?) -> UtmError? {
        error.map { UtmError(copying: $0) }
    }
}

/// So that `catch UtmError.Code.notFound` works.
public func ~= (code: UtmError.Code, error: any Error) -> Bool {
    (error as? UtmError)?.code == code
}
