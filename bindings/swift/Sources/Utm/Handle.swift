// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What every class of the overlay stands on: a pointer that may cross threads, a lock, C strings in both directions.
internal import CUtm

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// A pointer to an object of the C library.
///
/// Unchecked, because a pointer is not Sendable by itself: those kept in a `Handle` are to objects whose references the
/// library counts atomically and whose functions it allows on any thread ("@thread any" in the headers).
struct Handle: @unchecked Sendable {
    let raw: OpaquePointer

    init(_ raw: OpaquePointer) {
        self.raw = raw
    }
}

/// A value behind a lock.
///
/// Unchecked, because the compiler cannot see that `value` is only touched with the mutex held. `Synchronization.Mutex` would
/// do, but wants a newer macOS than the rest of the package.
final class Protected<Value>: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private var value: Value

    init(_ value: Value) {
        self.value = value
        pthread_mutex_init(mutex, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body(&value)
    }
}

/// C strings and arrays that live as long as this object, for the members of option structs.
final class Arena {
    private var blocks: [UnsafeMutableRawPointer] = []

    deinit {
        for block in blocks {
            block.deallocate()
        }
    }

    func string(_ text: String?) -> UnsafePointer<CChar>? {
        guard let text else { return nil }
        let bytes = text.utf8CString
        return array(Array(bytes))
    }

    func array<Element>(_ elements: [Element]) -> UnsafePointer<Element>? {
        let block = UnsafeMutablePointer<Element>.allocate(capacity: max(elements.count, 1))
        block.initialize(from: elements, count: elements.count)
        blocks.append(UnsafeMutableRawPointer(block))
        return UnsafePointer(block)
    }

    /// An array of strings that ends with NULL; NULL for no array.
    func strings(_ texts: [String]?) -> UnsafePointer<UnsafePointer<CChar>?>? {
        guard let texts else { return nil }
        return array(texts.map { string($0) } + [nil])
    }

    /// Runs `body` while everything made here is still there.
    static func with<Result, Failure: Error>(_ body: (Arena) throws(Failure) -> Result) throws(Failure) -> Result {
        let arena = Arena()
        defer { withExtendedLifetime(arena) {} }
        return try body(arena)
    }
}

/// A copy of a string of the library's, or nil for NULL.
func text(_ borrowed: UnsafePointer<CChar>?) -> String? {
    borrowed.map { String(cString: $0) }
}

/// A copy of a string that the caller owns, which is freed.
func takeText(_ owned: UnsafeMutablePointer<CChar>?) -> String? {
    defer { utm_free(owned) }
    return owned.map { String(cString: $0) }
}

/// A copy of bytes that the caller owns, which are freed.
func takeBytes(_ owned: UnsafeMutableRawPointer?, _ count: Int) -> [UInt8] {
    defer { utm_free(owned) }
    return owned.map { Array(UnsafeRawBufferPointer(start: $0, count: count)) } ?? []
}

/// What the C functions take as `UtmError **error`.
typealias ErrorOut = UnsafeMutablePointer<OpaquePointer?>

/// Calls a function of the library, and throws what it says.
@discardableResult
func call(_ body: (ErrorOut) -> CInt) throws(UtmError) -> CInt {
    var error: OpaquePointer?
    let result = withUnsafeMutablePointer(to: &error) { body($0) }
    if result < 0 {
        throw UtmError(taking: error, code: result)
    }
    return result
}

/// Calls a function that gives an object through `ret_...`, of which the caller gets the reference.
func make(_ body: (UnsafeMutablePointer<OpaquePointer?>, ErrorOut) -> CInt) throws(UtmError) -> OpaquePointer {
    var made: OpaquePointer?
    try call { error in withUnsafeMutablePointer(to: &made) { body($0, error) } }
    guard let made else { throw UtmError(code: .internal, message: "the library gave no object") }
    return made
}

/// Calls a function that gives a string through `ret_...`.
func makeText(_ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>, ErrorOut) -> CInt) throws(UtmError) -> String {
    var made: UnsafeMutablePointer<CChar>?
    try call { error in withUnsafeMutablePointer(to: &made) { body($0, error) } }
    return takeText(made) ?? ""
}
