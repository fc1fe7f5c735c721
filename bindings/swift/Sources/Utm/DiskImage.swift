// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CUtm

/// A disk image that is in no package; those of packages are worked on through ``MachineBundle``.
///
/// Nothing is lost: a call that fails, is cancelled or is killed leaves the image as it was.
public struct DiskImage: Sendable {
    public enum Format: UInt32, Sendable, CaseIterable {
        /// By the file; of a new file without a known name, qcow2.
        case automatic = 0
        case raw = 1
        case qcow2 = 2
        case vmdk = 3
        case vdi = 4
        case vhdx = 5
        /// What files named `.vhd` are.
        case vpc = 6

        /// In QEMU's word; nil for ``automatic``.
        public var name: String? { text(utm_image_format_get_name(rawValue)) }

        /// The format with this name of QEMU's; ``automatic`` for one that is not known.
        public init(named name: String) {
            self = Format(rawValue: utm_image_format_from_name(name)) ?? .automatic
        }
    }

    /// How much of a new image is set aside on the disk.
    public enum Preallocation: UInt32, Sendable {
        /// The file grows as the guest writes.
        case off = 0
        /// The tables; qcow2 only.
        case metadata = 1
        /// The room, without writing to it.
        case reserved = 2
        /// The room, by writing zeros all over it.
        case full = 3
    }

    /// How the clusters of a new qcow2 image are compressed.
    public enum Compression: UInt32, Sendable {
        case none = 0
        case zlib = 1
        case zstd = 2
    }

    /// What a conversion may do.
    public struct ConvertOptions: OptionSet, Sendable {
        public let rawValue: UInt32

        public init(rawValue: UInt32) {
            self.rawValue = rawValue
        }

        /// What is at the destination gives way.
        public static let replace = ConvertOptions(rawValue: 1)
        /// Saved states inside an image that gives way may be lost.
        public static let dropSnapshots = ConvertOptions(rawValue: 2)
        /// Old and new are compared before the new one takes its place.
        public static let verify = ConvertOptions(rawValue: 4)
    }

    /// A saved state inside an image.
    public struct Snapshot: Sendable, Hashable {
        public let id: String
        public let name: String
        /// When it was made, seconds since 1970.
        public let date: Int64
        /// How long the machine had been running.
        public let clock: Duration
        /// Bytes of the machine's saved state; 0: of the disk alone.
        public let stateSize: UInt64
    }

    /// What an image is.
    public struct Info: Sendable, Hashable {
        /// Absolute, without symbolic links.
        public let path: String
        /// As which it was read.
        public let format: Format
        /// That its first bytes are typical of.
        public let contentFormat: Format
        /// Bytes that a guest sees.
        public let virtualSize: UInt64
        /// Bytes that the file contains, holes included.
        public let length: UInt64
        /// Bytes that it occupies on disk.
        public let allocated: UInt64
        public let clusterSize: UInt64?
        /// The file that it is based on, as the image says it.
        public let backingFile: String?
        public let backingFormat: String?
        public let snapshots: [Snapshot]
        public let isEncrypted: Bool
        /// It was not closed properly.
        public let isDirty: Bool
        public let isCorrupt: Bool
        /// A QEMU has it open for writing.
        public let isInUse: Bool

        init(_ raw: UnsafeMutablePointer<UtmImageInfo>) {
            let c = raw.pointee
            path = text(c.path) ?? ""
            format = Format(rawValue: c.format) ?? .automatic
            contentFormat = Format(rawValue: c.content_format) ?? .automatic
            virtualSize = c.virtual_size_bytes
            length = c.length_bytes
            allocated = c.allocated_bytes
            clusterSize = c.cluster_size_bytes == 0 ? nil : c.cluster_size_bytes
            backingFile = text(c.backing_file)
            backingFormat = text(c.backing_format)
            snapshots = (0..<c.snapshot_count).map { index in
                let snapshot = c.snapshots[index]!.pointee
                return Snapshot(
                    id: text(snapshot.id) ?? "", name: text(snapshot.name) ?? "", date: snapshot.date_s,
                    clock: .nanoseconds(Int64(clamping: snapshot.vm_clock_ns)), stateSize: snapshot.vm_state_bytes)
            }
            isEncrypted = c.encrypted
            isDirty = c.dirty
            isCorrupt = c.corrupt
            isInUse = c.in_use
        }
    }

    public let path: String
    public let context: Context

    /// Nothing is looked at yet.
    public init(_ path: String, in context: Context? = nil) throws(UtmError) {
        self.path = path
        self.context = try Context.given(context)
    }

    /// Makes an image that reads as zeros. Nothing is ever overwritten.
    ///
    /// - Parameter size: What the guest sees, bytes: a multiple of 512.
    public static func create(
        _ path: String, size: UInt64, format: Format = .automatic, preallocation: Preallocation = .off,
        timeout: Timeout = .standard, in context: Context? = nil
    ) async throws(UtmError) -> DiskImage {
        let image = try DiskImage(path, in: context)
        try await complete { cancel, data, error in
            var c = createOptions(format, preallocation, timeout, cancel)
            return utm_image_create_async(
                image.context.handle.raw, path, size, &c,
                { _, error, data in Waiting<Void>.from(data).finish(error) {} }, data, Pending.free, error)
        }
        return image
    }

    /// Tells what it is; works on images in use too.
    public func inspect(format: Format = .automatic, timeout: Timeout = .standard) async throws(UtmError) -> Info {
        try await perform { cancel, data, error in
            var c = UtmImageInspectOptions()
            c.size = MemoryLayout<UtmImageInspectOptions>.size
            c.format = format.rawValue
            c.timeout_ms = timeout.option
            c.cancel = cancel
            return utm_image_inspect_async(
                context.handle.raw, path, &c,
                { _, info, error, data in Waiting<Info>.from(data).finish(error) { Info(info!) } },
                data, Pending.free, error)
        }
    }

    /// Gives it another size. Smaller ones need `shrinks`: what is behind is lost.
    public func resize(to size: UInt64, shrinks: Bool = false, timeout: Timeout = .standard) async throws(UtmError) {
        try await complete { cancel, data, error in
            var c = DiskImage.resizeOptions(shrinks, timeout, cancel)
            return utm_image_resize_async(
                context.handle.raw, path, size, &c, { _, error, data in Waiting<Void>.from(data).finish(error) {} },
                data, Pending.free, error)
        }
    }

    /// Writes its content into a new image, which stands alone.
    ///
    /// - Parameter destination: Nil: in its place.
    public func convert(
        to destination: String?, from sourceFormat: Format = .automatic, format: Format = .automatic,
        compression: Compression = .none, options: ConvertOptions = [], timeout: Timeout = .standard,
        progress: OperationProgress? = nil
    ) async throws(UtmError) {
        defer { withExtendedLifetime(progress) {} }
        try await complete { cancel, data, error in
            var c = DiskImage.convertOptions(sourceFormat, format, compression, options, timeout, cancel, progress)
            return utm_image_convert_async(
                context.handle.raw, path, destination, &c,
                { _, error, data in Waiting<Void>.from(data).finish(error) {} }, data, Pending.free, error)
        }
    }

    static func createOptions(
        _ format: Format, _ preallocation: Preallocation, _ timeout: Timeout, _ cancel: OpaquePointer
    ) -> UtmImageCreateOptions {
        var c = UtmImageCreateOptions()
        c.size = MemoryLayout<UtmImageCreateOptions>.size
        c.format = format.rawValue
        c.preallocation = preallocation.rawValue
        c.timeout_ms = timeout.option
        c.cancel = cancel
        return c
    }

    static func resizeOptions(_ shrinks: Bool, _ timeout: Timeout, _ cancel: OpaquePointer) -> UtmImageResizeOptions {
        var c = UtmImageResizeOptions()
        c.size = MemoryLayout<UtmImageResizeOptions>.size
        c.flags = shrinks ? UTM_IMAGE_RESIZE_SHRINK.rawValue : 0
        c.timeout_ms = timeout.option
        c.cancel = cancel
        return c
    }

    static func convertOptions(
        _ source: Format, _ format: Format, _ compression: Compression, _ options: ConvertOptions, _ timeout: Timeout,
        _ cancel: OpaquePointer, _ progress: OperationProgress?
    ) -> UtmImageConvertOptions {
        var c = UtmImageConvertOptions()
        c.size = MemoryLayout<UtmImageConvertOptions>.size
        c.source_format = source.rawValue
        c.format = format.rawValue
        c.compression = compression.rawValue
        c.flags = options.rawValue
        c.timeout_ms = timeout.option
        c.cancel = cancel
        c.progress = progress?.handle.raw
        return c
    }
}
