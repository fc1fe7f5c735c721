// SPDX-License-Identifier: LGPL-2.1-or-later
import Foundation
import Utm
import XCTest

final class T230Events: XCTestCase {
    func testOfAMachine() async throws {
        let scratch = Scratch()
        let vm = try await makeCommander(scratch, makeContext())
        let events = vm.events()
        let lines = vm.serialPorts[0].lines
        try await vm.start(timeout: .seconds(60))
        try await waitForSerial(lines, "ready")
        try vm.serialPorts[0].write("q")
        let told = try await within(30, "the end") {
            var states: [VirtualMachine.State] = [], names: [String] = []
            for await event in events {
                switch event.kind {
                case .state(_, let state): states.append(state)
                case .qmp(let name, _): names.append(name)
                case .ended(let reason): return (states, names, reason?.kind)
                default: break
                }
            }
            throw TimedOut(what: "the sequence ended")
        }
        XCTAssertEqual(told.0.first, .starting)
        XCTAssertEqual(told.0.last, .stopped)
        XCTAssertTrue(told.0.contains(.running))
        XCTAssertTrue(told.1.contains("SHUTDOWN"))
        XCTAssertEqual(told.2, .guestShutdown)
        XCTAssertEqual(VirtualMachine.Event.Kind.ended(nil).name, "ended")
    }

    func testOfTheMonitor() async throws {
        let scratch = Scratch()
        let vm = try await makeCommander(scratch, makeContext())
        try await vm.start(timeout: .seconds(60))
        let qmp = try vm.qmp
        let all = try qmp.events(), stops = try qmp.events(of: QMP.StopEvent.self)
        let shutdowns = try qmp.events(of: QMP.ShutdownEvent.self)
        let collected = try qmp.subscribe("STOP", "RESUME")
        try await vm.pause()
        try await vm.resume()
        let resumed = try await collected.next(timeout: .seconds(10)) { $0.name == "RESUME" }
        XCTAssertEqual(resumed.name, "RESUME")
        XCTAssertNotNil(resumed.timestamp)
        try await vm.stop(.force)
        // The sequences end with the connection.
        let names = try await within(10, "the end of the events") { try await all.map(\.name).reduce(into: []) { $0.append($1) } }
        XCTAssertTrue(names.contains("STOP") && names.contains("RESUME"), "\(names)")
        let stopCount = try await within(10, "the end of STOP") { try await stops.reduce(0) { count, _ in count + 1 } }
        XCTAssertGreaterThanOrEqual(stopCount, 1)
        let first = try await within(10, "SHUTDOWN") { try await shutdowns.first { _ in true } }
        XCTAssertEqual(first?.guest, false)
        await assertThrows(.qmpDisconnected) { _ = try await collected.next(timeout: .seconds(10)) { $0.name == "NEVER" } }
    }

    func testBounded() async throws {
        let scratch = Scratch()
        let vm = try await makeCommander(scratch, makeContext())
        let slow = vm.events(limit: 2)
        try await vm.start(timeout: .seconds(60))
        let few = try vm.qmp.events("STOP", "RESUME", limit: 1)
        for _ in 0..<5 {
            try await vm.pause()
            try await vm.resume()
        }
        var iterator = slow.makeAsyncIterator(), fewIterator = few.makeAsyncIterator()
        for _ in 0..<2 {
            let event = await iterator.next()
            XCTAssertEqual(event?.dropped, 0)
        }
        _ = try await fewIterator.next()
        try await vm.pause()
        let next = await iterator.next(), nextFew = try await fewIterator.next()
        XCTAssertGreaterThan(next!.dropped, 5)
        XCTAssertEqual(nextFew?.dropped, 9)
        try await vm.stop(.kill)
    }

    func testSeveralListeners() async throws {
        let scratch = Scratch()
        let vm = try await makeCommander(scratch, makeContext())
        let counts = try await within(60, "all listeners") {
            try await withThrowingTaskGroup(of: Int.self) { group in
                for events in (0..<4).map({ _ in vm.events() }) {
                    group.addTask {
                        var count = 0
                        for await event in events {
                            count += 1
                            if case .ended = event.kind { break }
                        }
                        return count
                    }
                }
                try await vm.start(timeout: .seconds(60))
                try await vm.stop(.kill)
                return try await group.reduce(into: []) { $0.append($1) }
            }
        }
        XCTAssertEqual(Set(counts).count, 1, "\(counts)")
    }
}
