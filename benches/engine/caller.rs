//! A backend service that asks over HTTP/1.1 with connections that stay open: each sends its next request when the answer
//! to the last one is there. It reads no more of an answer than status and body, so that it costs little beside what it
//! measures.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::hospital::KEY;

/// What came of asking so many times.
pub struct Asked {
    /// From the first request to the last answer, s.
    pub took: f64,
    /// How long each request took, ms.
    pub each: Vec<f64>,
    /// Status and body of each, in the order of the requests.
    pub answers: Vec<(u16, String)>,
}

/// Sends the requests `0..how_many` over `connections`.
pub async fn ask(
    address: SocketAddr,
    connections: usize,
    how_many: usize,
    request: impl Fn(usize) -> String + Send + Sync + 'static,
) -> Asked {
    let (next, request) = (Arc::new(AtomicUsize::new(0)), Arc::new(request));
    let mut streams = Vec::with_capacity(connections);
    for _ in 0..connections {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        streams.push(stream);
    }
    let began = Instant::now();
    let asking = streams.into_iter().map(|mut stream| {
        let (next, request) = (Arc::clone(&next), Arc::clone(&request));
        tokio::spawn(async move {
            let mut own = Vec::new();
            let mut buffer = Vec::with_capacity(4096);
            loop {
                let nth = next.fetch_add(1, Ordering::Relaxed);
                if nth >= how_many {
                    return own;
                }
                let sent = Instant::now();
                stream.write_all(request(nth).as_bytes()).await.unwrap();
                let answer = read(&mut stream, &mut buffer).await;
                own.push((nth, sent.elapsed().as_secs_f64() * 1000.0, answer));
            }
        })
    });
    let mut all = Vec::with_capacity(how_many);
    for one in asking.collect::<Vec<_>>() {
        all.extend(one.await.unwrap());
    }
    let took = began.elapsed().as_secs_f64();
    all.sort_by_key(|(nth, ..)| *nth);
    let each = all.iter().map(|(_, ms, _)| *ms).collect();
    Asked { took, each, answers: all.into_iter().map(|(.., answer)| answer).collect() }
}

/// A POST with the key and an `Idempotency-Key`.
pub fn post(path: &str, idempotency_key: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: houbu\r\nauthorization: Bearer {KEY}\r\ncontent-type: application/json\r\n\
         idempotency-key: {idempotency_key}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A GET with the key.
pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: houbu\r\nauthorization: Bearer {KEY}\r\n\r\n")
}

async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> (u16, String) {
    buffer.clear();
    let (head, length) = loop {
        assert!(stream.read_buf(buffer).await.unwrap() > 0, "the connection was closed");
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break (end + 4, content_length(&buffer[..end]));
        }
    };
    while buffer.len() < head + length {
        assert!(stream.read_buf(buffer).await.unwrap() > 0, "the connection was closed");
    }
    let status = std::str::from_utf8(&buffer[9..12]).unwrap().parse().unwrap();
    (status, String::from_utf8(buffer[head..head + length].to_vec()).unwrap())
}

fn content_length(head: &[u8]) -> usize {
    let head = std::str::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().unwrap())
    });
    length.unwrap_or_else(|| panic!("an answer without a length: {head}"))
}
