//! A line to a server on which every answer is late by [`LATENCY`].

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::stretched::LATENCY;

/// Cut when it is dropped.
pub struct Delayed {
    pub url: String,
    carrying: JoinHandle<()>,
}

impl Drop for Delayed {
    fn drop(&mut self) {
        self.carrying.abort();
    }
}

/// A line that stands before the server at `http://address/`.
pub async fn before(url: &str) -> Delayed {
    let to: SocketAddr = url.trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let carrying = tokio::spawn(async move {
        while let Ok((caller, _)) = listener.accept().await {
            tokio::spawn(carry(caller, to));
        }
    });
    Delayed { url, carrying }
}

/// Either side may hang up at any time.
async fn carry(caller: TcpStream, to: SocketAddr) {
    let Ok(server) = TcpStream::connect(to).await else { return };
    let _ = (caller.set_nodelay(true), server.set_nodelay(true));
    let ((mut from_caller, mut to_caller), (mut from_server, mut to_server)) =
        (caller.into_split(), server.into_split());
    tokio::spawn(async move { copy(&mut from_caller, &mut to_server).await });
    let mut answer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from_server.read(&mut answer).await {
        tokio::time::sleep(LATENCY).await;
        if to_caller.write_all(&answer[..read]).await.is_err() {
            return;
        }
    }
}
