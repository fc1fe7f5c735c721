// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CUtm

/// A rectangle in pixels; the origin is the upper left corner.
public struct Rect: Sendable, Hashable {
    public var x: Int
    public var y: Int
    public var width: Int
    public var height: Int

    public init(x: Int, y: Int, width: Int, height: Int) {
        self.x = x
        self.y = y
        self.width = width
        self.height = height
    }
}

/// One immutable picture of a display. Its pixels lie in memory that is shared with the console engine: nothing copies them,
/// and nothing writes to them as long as the frame is there. It outlives display, console, machine and context.
public final class Frame: Sendable {
    let handle: Handle

    init(taking raw: OpaquePointer) {
        handle = Handle(raw)
    }

    deinit {
        utm_frame_unref(handle.raw)
    }

    private var info: UnsafePointer<UtmFrameInfo> { utm_frame_get_info(handle.raw) }

    /// Pixels.
    public var width: Int { Int(info.pointee.width) }
    /// Pixels.
    public var height: Int { Int(info.pointee.height) }
    /// Bytes from one row to the next.
    public var bytesPerRow: Int { Int(info.pointee.stride_bytes) }
    /// Four characters that name the pixel format, as DRM does: `XR24`, 32 bits in host byte order 0xXXRRGGBB.
    public var fourCC: UInt32 { info.pointee.fourcc }
    /// Grows with every picture of the display; gaps are pictures that were overtaken.
    public var serial: UInt64 { info.pointee.serial }
    /// When the picture was complete, by the system's monotonic clock.
    public var time: Duration { .nanoseconds(info.pointee.time_ns) }

    /// What changed since the frame that was acquired before this one; the whole frame for the first and after a change of
    /// size. That counts over everybody who acquires frames of the display.
    public var damage: [Rect] {
        let count = Int(info.pointee.damage_count)
        // Where the rectangles lie in the struct, which Swift has as a tuple.
        let first = UnsafeRawPointer(info) + MemoryLayout<UtmFrameInfo>.offset(of: \.damage)!
        let rects = UnsafeBufferPointer(start: first.assumingMemoryBound(to: UtmRect.self), count: count)
        return rects.map { Rect(x: Int($0.x), y: Int($0.y), width: Int($0.width), height: Int($0.height)) }
    }

    /// The pixels where they lie: height times ``bytesPerRow`` bytes, rows from the top. Not to be used after `body`.
    public func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        defer { withExtendedLifetime(self) {} }
        return try body(UnsafeRawBufferPointer(start: utm_frame_get_data(handle.raw), count: height * bytesPerRow))
    }

    /// The pixel at a place as 0xRRGGBB.
    public func pixel(x: Int, y: Int) -> UInt32 {
        precondition(x >= 0 && x < width && y >= 0 && y < height, "a pixel outside of the frame")
        return withBytes { $0.loadUnaligned(fromByteOffset: y * bytesPerRow + x * 4, as: UInt32.self) & 0xffffff }
    }

    /// The frame as a PNG file in memory; takes some milliseconds.
    public func png() throws(UtmError) -> [UInt8] {
        var data: UnsafeMutableRawPointer?
        var count = 0
        try call { utm_frame_encode_png(handle.raw, &data, &count, $0) }
        return takeBytes(data, count)
    }

    /// Writes the frame as a PNG file.
    public func savePNG(to path: String) throws(UtmError) {
        try call { utm_frame_save_png(handle.raw, path, $0) }
    }
}

/// One screen of a console.
public final class Display: Sendable {
    let handle: Handle
    private let context: Context
    fileprivate let hub: Hub<Void>

    init(sharing raw: OpaquePointer, _ context: Context, _ hub: Hub<Void>) {
        handle = Handle(utm_display_ref(raw))
        self.context = context
        self.hub = hub
    }

    deinit {
        utm_display_unref(handle.raw)
    }

    /// Counted from 0.
    public var index: Int { Int(utm_display_get_index(handle.raw)) }

    /// The latest picture; nil when there is none yet.
    public var frame: Frame? { utm_display_acquire_frame(handle.raw).map { Frame(taking: $0) } }

    /// Pictures as they come, beginning with the one that is there. The latest wins: whoever is slow misses some, and slows
    /// nobody down. The sequence ends when the console closes, which is when the machine ends.
    public var frames: Frames { Frames(display: self) }

    /// See ``Display/frames``.
    public struct Frames: AsyncSequence, Sendable {
        public typealias Element = Frame

        fileprivate let display: Display

        public struct Iterator: AsyncIteratorProtocol {
            private let display: Display
            private var notices: AsyncStream<Void>.Iterator
            private var serial: UInt64 = 0

            fileprivate init(_ display: Display) {
                self.display = display
                notices = display.hub.listen(.bufferingNewest(1)).makeAsyncIterator()
            }

            public mutating func next(isolation actor: isolated (any Actor)?) async -> Frame? {
                // The one that is there already was told of before this sequence began.
                if serial == 0, let frame = newer() {
                    return frame
                }
                while await notices.next(isolation: actor) != nil {
                    if let frame = newer() {
                        return frame
                    }
                }
                return nil
            }

            public mutating func next() async -> Frame? {
                await next(isolation: nil)
            }

            private mutating func newer() -> Frame? {
                guard let frame = display.frame, frame.serial > serial else { return nil }
                serial = frame.serial
                return frame
            }
        }

        public func makeAsyncIterator() -> Iterator {
            Iterator(display)
        }
    }

    /// Waits for a picture newer than a given one. A machine that was told to start is waited for as well.
    ///
    /// - Parameters:
    ///   - serial: 0 for any picture.
    ///   - timeout: ``Timeout/standard`` is 30 s. When it is over, ``UtmError/Code/noPicture`` is thrown.
    public func waitForFrame(after serial: UInt64 = 0, timeout: Timeout = .standard) async throws(UtmError) -> Frame {
        try await offload { [self] (cancel) throws(UtmError) in try wait(serial, timeout, cancel) }
    }

    /// For programs without tasks.
    public var blocking: Blocking { Blocking(display: self) }

    /// See ``Display/blocking``.
    public struct Blocking: Sendable {
        fileprivate let display: Display

        /// As ``Display/waitForFrame(after:timeout:)``, blocking the thread.
        @available(*, noasync)
        public func waitForFrame(
            after serial: UInt64 = 0, timeout: Timeout = .standard, cancel: CancelToken? = nil
        ) throws(UtmError) -> Frame {
            try display.wait(serial, timeout, cancel)
        }
    }

    fileprivate func wait(_ serial: UInt64, _ timeout: Timeout, _ cancel: CancelToken?) throws(UtmError) -> Frame {
        let milliseconds = timeout.parameter(standard: 30_000)
        return Frame(
            taking: try make { utm_display_wait_frame(handle.raw, serial, milliseconds, cancel?.handle.raw, $0, $1) })
    }

    /// Waits for a picture if there is none yet, and writes it as a PNG file.
    public func saveScreenshot(to path: String, timeout: Timeout = .standard) async throws(UtmError) {
        let milliseconds = timeout.parameter(standard: 30_000)
        try await offload { [self] (_) throws(UtmError) in
            _ = try call { utm_display_save_screenshot(handle.raw, path, milliseconds, $0) }
        }
    }

    /// Waits until the picture has not changed for some time, and gives it.
    ///
    /// - Parameter timeout: Of the whole. ``UtmError/Code/timeout`` when the picture never rests.
    public func waitUntilStable(
        for quiet: Duration = .milliseconds(500), timeout: Duration = .seconds(30)
    ) async throws(UtmError) -> Frame {
        let end = ContinuousClock.now + timeout
        var frame = try await waitForFrame(timeout: .after(timeout))
        while ContinuousClock.now < end {
            do {
                frame = try await waitForFrame(after: frame.serial, timeout: .after(quiet))
            } catch where error.code == .noPicture {
                return frame
            }
        }
        throw UtmError(code: .timeout, message: "the picture never rested")
    }
}

/// What tells of new pictures, one for each display of a console, since C has one handler for each.
final class DisplayTable: Sendable {
    private let hubs = Protected<[Int: Hub<Void>]>([:])

    func display(_ index: Int, _ raw: OpaquePointer, _ context: Context) -> Display {
        let (hub, isNew) = hubs.withLock { hubs -> (Hub<Void>, Bool) in
            if let hub = hubs[index] {
                return (hub, false)
            }
            let hub = Hub<Void>()
            hubs[index] = hub
            return (hub, true)
        }
        if isNew {
            utm_display_set_frame_handler(
                raw, { _, data in Box<Hub<Void>>.value(data).send { _ in } }, Box.retained(hub), releaseBox)
        }
        return Display(sharing: raw, context, hub)
    }

    /// The sequences of frames that there are end; a machine that starts again has new ones.
    func end(forEver: Bool = false) {
        for hub in hubs.withLock({ Array($0.values) }) {
            hub.finish(forEver: forEver)
        }
    }
}
