// SPDX-License-Identifier: LGPL-2.1-or-later
//! Futures and streams, without a runtime, with a thread of the library's crate, and with a reactor of one's own.

use crate::support::{config, context, Directory, Machine, LONG};
use futures_core::Stream;
use std::future::{poll_fn, Future};
use std::pin::{pin, Pin};
use std::sync::Arc;
use std::task::{Context as Task, Poll, Wake, Waker};
use std::thread::Thread;
use utm::qmp::{self, CallOptions, EventData};
use utm::*;

/// The smallest executor there is: it knows nothing of the library.
fn run<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Task::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

async fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    poll_fn(|task| Pin::new(&mut *stream).poll_next(task)).await
}

#[test]
fn a_machine_lives_in_futures() {
    let Some(machine) = Machine::commander() else { return };
    let vm = &machine.vm;
    machine.context.block_on(async {
        let mut events = vm.events();
        vm.start_async(&StartOptions::default()).await.unwrap();
        let monitor = vm.qmp().unwrap();
        let status = monitor.execute_async(&qmp::QueryStatus {}, &CallOptions::default()).await.unwrap();
        assert!(status.running);
        assert!(monitor.has_async("query-status").await.unwrap());
        vm.pause_async().await.unwrap();
        vm.resume_async().await.unwrap();
        vm.reset_async().await.unwrap();
        vm.stop_async(Stop::Kill, &StopOptions::default()).await.unwrap();
        let mut last = None;
        while let Some(event) = next(&mut events).await {
            last = Some(event);
        }
        assert!(matches!(last.unwrap().kind, VmEventKind::Ended));
    });
}

#[test]
fn any_executor_will_do_with_a_dispatcher() {
    let Some(machine) = Machine::commander() else { return };
    let _dispatcher = Dispatcher::new(&machine.context).unwrap();
    run(async {
        machine.vm.start_async(&StartOptions::default()).await.unwrap();
        let monitor = machine.vm.qmp().unwrap();
        let mut events = monitor.events(Some(&[qmp::StopEvent::NAME])).unwrap();
        monitor.execute_async(&qmp::Stop {}, &CallOptions::default()).await.unwrap();
        assert_eq!(next(&mut events).await.unwrap().name(), Some("STOP"));
        machine.vm.stop_async(Stop::Kill, &StopOptions::default()).await.unwrap();
        assert!(next(&mut events).await.is_none());
    });
}

#[test]
fn packages_are_made_in_the_background() {
    let (context, directory) = (context(), Directory::new());
    std::fs::write(directory.join("disk.img"), vec![1; 1 << 20]).unwrap();
    context.block_on(async {
        let progress = Progress::new();
        let bundle =
            Bundle::create_async(&context, directory.join("A.utm"), &config(false), &Default::default()).await.unwrap();
        let options = ImportOptions::default().name("data.img").progress(progress.clone());
        assert_eq!(bundle.import_async(directory.join("disk.img"), &options).await.unwrap(), "data.img");
        assert_eq!(progress.get(), (1 << 20, 1 << 20));
        assert!(bundle.size_async().await.unwrap().length > 1 << 20);
        let copy = bundle.copy_to_async(directory.join("B.utm"), &Default::default()).await.unwrap();
        assert_eq!(copy.files().unwrap().len(), 1);
        assert_eq!(Bundle::list_directory_async(&context, directory.join("")).await.unwrap().len(), 2);
        let image = directory.join("new.qcow2");
        image::create_async(&context, &image, 1 << 20, &Default::default()).await.unwrap();
        image::resize_async(&context, &image, 2 << 20, &Default::default()).await.unwrap();
        let raw = directory.join("new.raw");
        image::convert_async(&context, &image, Some(&raw), &Default::default()).await.unwrap();
        assert_eq!(image::inspect_async(&context, &raw, &Default::default()).await.unwrap().virtual_size, 2 << 20);
        let hardware = Hardware::query_async(&context, "x86_64", false).await.unwrap();
        assert_eq!(hardware.architecture(), "x86_64");
    });
}

#[test]
fn errors_come_out_of_futures() {
    let (context, directory) = (context(), Directory::new());
    let lost = Bundle::list_directory_async(&context, directory.join("nowhere"));
    assert_eq!(context.block_on_for(LONG, lost).unwrap().unwrap_err().code(), ErrorCode::NotFound);
    let wrong = Hardware::query_async(&context, "no\0architecture", false);
    assert!(wrong.is_finished());
    assert_eq!(context.block_on(wrong).unwrap_err().code(), ErrorCode::InvalidArgument);
}

#[test]
fn many_wait_at_once() {
    let Some(machine) = Machine::commander() else { return };
    machine.start();
    let monitor = machine.vm.qmp().unwrap();
    let calls: Vec<_> =
        (0..100).map(|_| monitor.execute_async(&qmp::QueryStatus {}, &CallOptions::default())).collect();
    machine.context.block_on(async {
        for call in calls {
            assert!(call.await.unwrap().running);
        }
    });
}
