// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CUtm

/// A `.utm` package on disk. It comes from strangers: names inside it never lead out.
///
/// The C library calls it a bundle. The name here is longer, because every program that imports Foundation has a `Bundle`.
public final class MachineBundle: Sendable {
    /// Whether a bundle has its package to itself.
    public enum LockState: UInt32, Sendable {
        /// It has not asked for that.
        case unlocked = 0
        /// Nobody else changes or runs it.
        case locked = 1
        /// It has asked, but the file system has no locks.
        case unsure = 2
    }

    /// One entry of a bundle's `Data` directory.
    public struct File: Sendable, Hashable {
        public enum Kind: UInt32, Sendable {
            /// A device, a FIFO, a socket, or something that cannot be looked at.
            case other = 0
            case regular = 1
            case directory = 2
            /// A symbolic link, whatever it leads to.
            case link = 3
        }

        /// Name inside `Data`.
        public let name: String
        /// Bytes that the file contains.
        public let length: UInt64
        /// Bytes that it occupies on disk.
        public let allocated: UInt64
        /// The configuration refers to it, or an image that it refers to is based on it.
        public let isReferenced: Bool
        /// ``MachineBundle/prune(_:)`` without names removes it.
        public let isPrunable: Bool
        public let kind: Kind

        static func list(taking raw: OpaquePointer?) -> [File] {
            guard let raw else { return [] }
            defer { utm_bundle_files_free(raw) }
            return (0..<utm_bundle_files_get_count(raw)).map { index in
                let c = utm_bundle_files_get(raw, index)!.pointee
                return File(
                    name: text(c.name) ?? "", length: c.length_bytes, allocated: c.allocated_bytes,
                    isReferenced: c.referenced, isPrunable: c.prunable, kind: Kind(rawValue: c.kind) ?? .other)
            }
        }
    }

    /// What a package occupies.
    public struct Size: Sendable, Hashable {
        /// Bytes that its files contain, holes included.
        public let length: UInt64
        /// Bytes that it occupies on disk.
        public let allocated: UInt64
        /// Regular files.
        public let fileCount: UInt64

        init(_ c: UtmBundleSize) {
            length = c.length_bytes
            allocated = c.allocated_bytes
            fileCount = c.file_count
        }
    }

    /// A package in a directory.
    public struct Entry: Sendable, Hashable {
        public let path: String
        /// Of the machine; that of the file, without `.utm`, when the package cannot be read.
        public let name: String
        /// Nil when the package cannot be read.
        public let uuid: String?
        /// Why it cannot be read.
        public let error: UtmError?

        static func list(taking raw: OpaquePointer) -> [Entry] {
            defer { utm_bundle_list_free(raw) }
            return (0..<utm_bundle_list_get_count(raw)).map { index in
                let c = utm_bundle_list_get(raw, index)!.pointee
                return Entry(
                    path: text(c.path) ?? "", name: text(c.name) ?? "", uuid: text(c.uuid), error: UtmError.of(c.error))
            }
        }
    }

    /// A file for a new package.
    public struct Source: Sendable {
        /// Of a regular file.
        public var path: String
        /// Plain name in `Data`. Nil: the last component of the path.
        public var name: String?

        public init(_ path: String, name: String? = nil) {
            self.path = path
            self.name = name
        }
    }

    /// The icon of a machine.
    public enum Icon: Sendable, Hashable {
        /// The name of one that UTM brings along.
        case builtin(String)
        /// The content of a file: PNG, JPEG or icns.
        case custom([UInt8])
    }

    /// Whether new UEFI variables hold the keys with which Secure Boot is in force.
    public enum UEFIKeys: UInt32, Sendable {
        /// With keys when the machine has a TPM, without them otherwise.
        case automatic = 0
        /// With those that the firmware's maker enrolls.
        case enrolled = 1
        /// Whatever boots may boot.
        case none = 2
    }

    let handle: Handle
    /// Served as long as the bundle is there.
    public let context: Context

    init(taking raw: OpaquePointer, _ context: Context) {
        handle = Handle(raw)
        self.context = context
    }

    deinit {
        utm_bundle_unref(handle.raw)
    }

    // MARK: - Opening and making

    /// Opens a package and reads its configuration. Nothing in it is changed.
    public init(opening path: String, in context: Context? = nil) throws(UtmError) {
        let context = try Context.given(context)
        handle = Handle(try make { utm_bundle_open(context.handle.raw, path, $0, $1) })
        self.context = context
    }

    /// Opens a package and reads its configuration. Nothing in it is changed.
    public static func open(_ path: String, in context: Context? = nil) throws(UtmError) -> MachineBundle {
        try MachineBundle(opening: path, in: context)
    }

    /// The packages directly in a directory, sorted by path; those that cannot be read with the reason.
    public static func list(directory: String, in context: Context? = nil) async throws(UtmError) -> [Entry] {
        let context = try Context.given(context)
        return try await perform { _, data, error in
            utm_bundle_list_directory_async(
                context.handle.raw, directory,
                { _, list, error, data in
                    Waiting<[Entry]>.from(data).finish(error) { Entry.list(taking: list!) }
                }, data, Pending.free, error)
        }
    }

    /// The name of a package for a machine: `.utm` behind the name, and a dash for what no file name should have.
    public static func fileName(forMachine name: String) -> String {
        takeText(utm_bundle_dup_file_name(name)) ?? ""
    }

    /// Makes a new package: complete, or not at all.
    public static func create(
        _ path: String, _ config: Config, files: [Source] = [], progress: OperationProgress? = nil, in context: Context? = nil
    ) async throws(UtmError) -> MachineBundle {
        let context = try Context.given(context)
        let arena = Arena()
        defer { withExtendedLifetime((arena, progress)) {} }
        let handle: Handle = try await perform { cancel, data, error in
            var c = UtmBundleCreateOptions()
            c.size = MemoryLayout<UtmBundleCreateOptions>.size
            c.files = arena.array(files.map { UtmBundleSource(source: arena.string($0.path), name: arena.string($0.name)) })
            c.file_count = files.count
            c.cancel = cancel
            c.progress = progress?.handle.raw
            return config.withRaw {
                utm_bundle_create_async(
                    context.handle.raw, path, $0, &c,
                    { _, bundle, error, data in Waiting<Handle>.from(data).finish(error) { Handle(bundle!) } },
                    data, Pending.free, error)
            }
        }
        return MachineBundle(taking: handle.raw, context)
    }

    /// Makes a copy with an identifier, a name and hardware addresses of its own.
    ///
    /// - Parameters:
    ///   - name: Of the machine. Nil: that of the package, without `.utm`.
    ///   - keepsAddresses: The copy has the hardware addresses of the original.
    ///   - config: What is written into the copy, as it is; then there are no name and no flags.
    public func clone(
        to path: String, name: String? = nil, keepsAddresses: Bool = false, config: Config? = nil,
        progress: OperationProgress? = nil
    ) async throws(UtmError) -> MachineBundle {
        let arena = Arena()
        defer { withExtendedLifetime((arena, progress)) {} }
        let handle: Handle = try await perform { cancel, data, error in
            var c = UtmBundleCloneOptions()
            c.size = MemoryLayout<UtmBundleCloneOptions>.size
            c.name = arena.string(name)
            c.flags = keepsAddresses ? UTM_BUNDLE_CLONE_KEEP_MACS.rawValue : 0
            c.cancel = cancel
            c.progress = progress?.handle.raw
            func submit() -> CInt {
                utm_bundle_clone_async(
                    self.handle.raw, path, &c,
                    { _, bundle, error, data in Waiting<Handle>.from(data).finish(error) { Handle(bundle!) } },
                    data, Pending.free, error)
            }
            guard let config else { return submit() }
            return config.withRaw {
                c.config = $0
                return submit()
            }
        }
        return MachineBundle(taking: handle.raw, context)
    }

    /// The controller of its machine.
    public func machine() throws(UtmError) -> VirtualMachine {
        try VirtualMachine(self)
    }

    // MARK: - Looking

    /// The absolute path of the package, without symbolic links.
    public var path: String { text(utm_bundle_get_path(handle.raw)) ?? "" }

    /// The configuration as it was read or saved last.
    public var config: Config { Config(sharing: utm_bundle_get_config(handle.raw)) }

    /// The path of a file of `Data`, by the name that a configuration gives it.
    public func resolve(_ name: String) throws(UtmError) -> String {
        try makeText { utm_bundle_resolve(handle.raw, name, $0, $1) }
    }

    /// The `Data` directory, sorted by name.
    public func files() throws(UtmError) -> [File] {
        File.list(taking: try make { utm_bundle_list_files(handle.raw, $0, $1) })
    }

    /// Those entries of `Data` that the configuration does not refer to.
    public func unreferencedFiles() throws(UtmError) -> [File] {
        File.list(taking: try make { utm_bundle_list_unreferenced(handle.raw, $0, $1) })
    }

    /// What the package occupies on disk.
    public func size() async throws(UtmError) -> Size {
        try await perform { _, data, error in
            utm_bundle_get_size_async(
                handle.raw, { _, size, error, data in Waiting<Size>.from(data).finish(error) { Size(size!.pointee) } },
                data, Pending.free, error)
        }
    }

    /// Everything that is wrong with the configuration and the files. Nothing is changed.
    public func check(on host: HostFacts? = nil, hardware: Hardware? = nil) throws(UtmError) -> Findings {
        try Findings.with(host, hardware) { (c) throws(UtmError) in try make { utm_bundle_check(handle.raw, c, $0, $1) } }
    }

    /// The machine's icon; nil when there is none.
    public func icon() throws(UtmError) -> Icon? {
        var builtin: UnsafeMutablePointer<CChar>?
        var data: UnsafeMutableRawPointer?
        var count = 0
        do {
            try call { utm_bundle_get_icon(handle.raw, &builtin, &data, &count, $0) }
        } catch where error.code == .notFound {
            return nil
        }
        if let name = takeText(builtin) {
            return .builtin(name)
        }
        return .custom(takeBytes(data, count))
    }

    /// The last screenshot, as a PNG file; nil when there is none.
    public func screenshot() throws(UtmError) -> [UInt8]? {
        var data: UnsafeMutableRawPointer?
        var count = 0
        do {
            try call { utm_bundle_read_screenshot(handle.raw, &data, &count, $0) }
        } catch where error.code == .notFound {
            return nil
        }
        return takeBytes(data, count)
    }

    /// What `view.plist` of an older package says of windows and removable media; nil when there is none.
    public func viewState(options: Config.LoadOptions = Config.LoadOptions()) throws(UtmError) -> JSON? {
        do {
            return try JSON(
                taking: try options.with { (c) throws(UtmError) in
                    try make { utm_bundle_get_view_state(handle.raw, c, $0, $1) }
                })
        } catch where error.code == .notFound {
            return nil
        }
    }

    // MARK: - Changing

    /// Takes the package's lock, so that between reading and saving nobody else changes it. Each call needs its ``unlock()``.
    public func lock() throws(UtmError) {
        try call { utm_bundle_lock(handle.raw, $0) }
    }

    /// Gives back what ``lock()`` took.
    public func unlock() throws(UtmError) {
        try call { utm_bundle_unlock(handle.raw, $0) }
    }

    /// Whether the bundle has the lock now, for whatever reason.
    public var lockState: LockState { LockState(rawValue: utm_bundle_get_lock_state(handle.raw)) ?? .unlocked }

    /// Writes a configuration into the package, so that a crash leaves the old or the new one.
    public func save(_ config: Config) throws(UtmError) {
        try config.withRaw { (raw) throws(UtmError) in _ = try call { utm_bundle_save_config(handle.raw, raw, $0) } }
    }

    /// Changes the configuration under the lock, and saves it.
    public func edit(_ change: (inout Config) throws(UtmError) -> Void) throws(UtmError) {
        try lock()
        do {
            var config = self.config
            try change(&config)
            try save(config)
        } catch {
            try? unlock()
            throw error
        }
        try unlock()
    }

    /// Gives the machine another name, and with it the package.
    public func rename(to name: String) throws(UtmError) {
        try call { utm_bundle_rename(handle.raw, name, $0) }
    }

    /// Copies a file into `Data`, and tells its name there, for `Drive[N].ImageName`.
    ///
    /// - Parameters:
    ///   - name: Nil: the last component of the path.
    ///   - isExact: The name is taken as it is, or refused.
    public func importFile(
        _ path: String, name: String? = nil, isExact: Bool = false, progress: OperationProgress? = nil
    ) async throws(UtmError) -> String {
        let arena = Arena()
        defer { withExtendedLifetime((arena, progress)) {} }
        return try await perform { cancel, data, error in
            var c = UtmBundleImportOptions()
            c.size = MemoryLayout<UtmBundleImportOptions>.size
            c.name = arena.string(name)
            c.flags = isExact ? UTM_BUNDLE_IMPORT_EXACT_NAME.rawValue : 0
            c.cancel = cancel
            c.progress = progress?.handle.raw
            return utm_bundle_import_async(
                handle.raw, path, &c,
                { _, name, error, data in Waiting<String>.from(data).finish(error) { text(name) ?? "" } },
                data, Pending.free, error)
        }
    }

    /// Removes files of `Data` that the configuration does not refer to, and tells which.
    ///
    /// - Parameter names: Nil: those that are ``File/isPrunable``.
    @discardableResult
    public func prune(_ names: [String]? = nil) throws(UtmError) -> [File] {
        let arena = Arena()
        defer { withExtendedLifetime(arena) {} }
        return File.list(taking: try make { utm_bundle_prune(handle.raw, arena.strings(names), $0, $1) })
    }

    /// Removes one file that the configuration does not refer to.
    public func removeFile(_ name: String) throws(UtmError) {
        try call { utm_bundle_remove_file(handle.raw, name, $0) }
    }

    /// Puts an icon, a PNG, JPEG or icns file, into the package.
    public func setIcon(_ bytes: [UInt8]) throws(UtmError) {
        try call { error in bytes.withUnsafeBytes { utm_bundle_set_icon(handle.raw, $0.baseAddress, $0.count, error) } }
    }

    /// Replaces the screenshot, for example by ``Frame/png()``; nil removes it.
    public func setScreenshot(_ png: [UInt8]?) throws(UtmError) {
        guard let png else {
            try call { utm_bundle_write_screenshot(handle.raw, nil, 0, $0) }
            return
        }
        try call { error in
            png.withUnsafeBytes { utm_bundle_write_screenshot(handle.raw, $0.baseAddress, $0.count, error) }
        }
    }

    /// Puts fresh UEFI variables in the place of those that the machine has.
    public func resetUEFIVariables(
        keys: UEFIKeys = .automatic, timeout: Timeout = .standard, host: HostFacts? = nil
    ) async throws(UtmError) {
        defer { withExtendedLifetime(host) {} }
        try await complete { cancel, data, error in
            var c = UtmUefiResetOptions()
            c.size = MemoryLayout<UtmUefiResetOptions>.size
            c.keys = keys.rawValue
            c.timeout_ms = timeout.option
            c.cancel = cancel
            c.host = host?.handle.raw
            return utm_bundle_reset_uefi_variables_async(
                handle.raw, &c, { _, error, data in Waiting<Void>.from(data).finish(error) {} }, data, Pending.free, error)
        }
    }

    // MARK: - Disks

    /// Gives the machine one more disk, and tells its place in `Drive`.
    public func addDisk(
        size: UInt64, format: DiskImage.Format = .automatic, preallocation: DiskImage.Preallocation = .off,
        timeout: Timeout = .standard
    ) async throws(UtmError) -> Int {
        try await offload { [self] (cancel) throws(UtmError) in
            var c = DiskImage.createOptions(format, preallocation, timeout, cancel.handle.raw)
            var index = 0
            try call { utm_bundle_add_disk(handle.raw, size, &c, &index, $0) }
            return index
        }
    }

    /// Gives an image of the package another size.
    public func resizeImage(
        _ name: String, to size: UInt64, shrinks: Bool = false, timeout: Timeout = .standard
    ) async throws(UtmError) {
        try await complete { cancel, data, error in
            var c = DiskImage.resizeOptions(shrinks, timeout, cancel)
            return utm_bundle_resize_image_async(
                handle.raw, name, size, &c, { _, error, data in Waiting<Void>.from(data).finish(error) {} },
                data, Pending.free, error)
        }
    }

    /// Gives back the room of what the guest has deleted in an image of the package.
    public func compactImage(
        _ name: String, compression: DiskImage.Compression = .none, options: DiskImage.ConvertOptions = [],
        timeout: Timeout = .standard, progress: OperationProgress? = nil
    ) async throws(UtmError) {
        defer { withExtendedLifetime(progress) {} }
        try await complete { cancel, data, error in
            var c = DiskImage.convertOptions(.automatic, .automatic, compression, options, timeout, cancel, progress)
            return utm_bundle_compact_image_async(
                handle.raw, name, &c, { _, error, data in Waiting<Void>.from(data).finish(error) {} },
                data, Pending.free, error)
        }
    }
}
