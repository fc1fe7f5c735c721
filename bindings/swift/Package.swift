// swift-tools-version: 6.0
// SPDX-License-Identifier: LGPL-2.1-or-later
import PackageDescription

let package = Package(
    name: "Utm",
    platforms: [.macOS(.v13), .iOS(.v16)],
    products: [.library(name: "Utm", targets: ["Utm"])],
    targets: [
        // The C library, found by pkg-config.
        .systemLibrary(name: "CUtm", pkgConfig: "libutm"),
        .target(name: "Utm", dependencies: ["CUtm"]),
        .executableTarget(name: "EditBundle", dependencies: ["Utm"], path: "Examples/EditBundle"),
        .executableTarget(name: "BootAndWatch", dependencies: ["Utm"], path: "Examples/BootAndWatch"),
        .executableTarget(name: "UtmBench", dependencies: ["Utm"], path: "Tests/UtmBench"),
        .executableTarget(name: "RoundTrip", dependencies: ["Utm"], path: "Tests/RoundTrip"),
        .executableTarget(name: "ExitWhileRunning", dependencies: ["Utm"], path: "Tests/ExitWhileRunning"),
        .testTarget(name: "UtmTests", dependencies: ["Utm"]),
    ],
    swiftLanguageModes: [.v6]
)
