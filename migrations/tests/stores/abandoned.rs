//! A transaction that is given up leaves nothing open.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use migrations::{begin, query_pool};
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::database;

/// The URL of the same database through a relay of this thread: while a future is polled, no answer comes.
async fn detour(url: &str) -> String {
    let direct: PgConnectOptions = url.parse().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let relay = direct.clone().host("127.0.0.1").port(listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut server = TcpStream::connect((direct.get_host(), direct.get_port())).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
        }
    });
    relay.to_url_lossy().to_string()
}

/// Drives `future` until it has been woken `wakes` times, then gives it up; whether it came to its end.
async fn driven(future: impl Future, wakes: usize) -> bool {
    let (mut future, mut polls) = (pin!(future), 0);
    poll_fn(|context| {
        polls += 1;
        match future.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending if polls > wakes => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// PLAT-44: at whatever point a query is given up, the next one on its connection does not run inside its
/// transaction, where it would read the past and as another tenant.
#[tokio::test]
async fn a_beginning_that_is_given_up_leaves_no_transaction_open() {
    let url = database::migrated().await;
    let pool = query_pool(&detour(&url).await, 1).unwrap();
    pool.acquire().await.unwrap();
    let mut wakes = 0;
    while !driven(begin(&pool, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"), wakes).await {
        let set = "SELECT set_config('gesta.tenant', 'acme', true)";
        sqlx::query(set).execute(&pool).await.unwrap();
        let seen = "SELECT coalesce(current_setting('gesta.tenant', true), '')";
        let seen: String = sqlx::query_scalar(seen).fetch_one(&pool).await.unwrap();
        assert_eq!(seen, "", "given up after {wakes} wakes, it left its transaction open");
        wakes += 1;
    }
}
