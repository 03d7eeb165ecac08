//! How often is too often: each limit by itself, and from more than one address.
//!
//! The clock stands, so that nothing is given back but what the test lets pass.

use crate::world::{Answer, Device, PASSWORD, World};
use kinora_server::auth::Config;
use reqwest::{Method, StatusCode, header};
use serde_json::json;

const HOME: &str = "192.0.2.1";
const ELSEWHERE: &str = "192.0.2.2";

/// Checks that an answer refuses for the rate alone, and says for how long.
#[track_caller]
fn waits(answer: Answer) -> u32 {
    let answer = answer.is(StatusCode::TOO_MANY_REQUESTS);
    answer.problem("too_many_requests");
    answer.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap()
}

async fn sign_in(world: &World, address: &str, name: &str, password: &str) -> Answer {
    let email = format!("{name}@example.org");
    let body = json!({"email": email, "password": password});
    world.post_from(address, "/v1/sessions", body).await
}

#[tokio::test]
async fn accounts_are_not_opened_by_the_hundred() {
    let world = World::inside(Config::default()).await;
    let open = async |address: &str, number: usize| {
        let body = json!({
            "email": format!("a{number}@example.org"), "password": PASSWORD, "region": "DE",
            "profile_name": "A", "language": "de",
        });
        world.post_from(address, "/v1/accounts", body).await
    };
    for number in 0..10 {
        open(HOME, number).await.is(StatusCode::ACCEPTED);
    }
    let wait = waits(open(HOME, 10).await);
    open(ELSEWHERE, 10).await.is(StatusCode::ACCEPTED);
    world.clock.advance(wait - 1);
    waits(open(HOME, 11).await);
    world.clock.advance(1);
    open(HOME, 11).await.is(StatusCode::ACCEPTED);
    waits(open(HOME, 12).await);
}

#[tokio::test]
async fn codes_for_devices_are_not_used_up() {
    let world = World::inside(Config::default()).await;
    let begin = async |address: &str| {
        let request = world
            .request(Method::POST, "/v1/device/code")
            .header("x-forwarded-for", address)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body("client_id=Television");
        Answer::of(request.send().await.unwrap()).await
    };
    for _ in 0..20 {
        begin(HOME).await.is(StatusCode::OK);
    }
    let wait = waits(begin(HOME).await);
    begin(ELSEWHERE).await.is(StatusCode::OK);
    world.clock.advance(wait);
    begin(HOME).await.is(StatusCode::OK);
}

#[tokio::test]
async fn tokens_are_not_tried_out() {
    let ask_with_code = async |world: &World, address: &str| {
        let request = world
            .request(Method::POST, "/v1/device/token")
            .header("x-forwarded-for", address)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body("grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code=x");
        Answer::of(request.send().await.unwrap()).await
    };
    let refresh = async |world: &World, address: &str| {
        world.post_from(address, "/v1/sessions/refresh", json!({"refresh_token": "x"})).await
    };
    let world = World::inside(Config::default()).await;
    for _ in 0..120 {
        refresh(&world, HOME).await.is(StatusCode::UNAUTHORIZED);
    }
    let wait = waits(refresh(&world, HOME).await);
    refresh(&world, ELSEWHERE).await.is(StatusCode::UNAUTHORIZED);
    world.clock.advance(wait);
    refresh(&world, HOME).await.is(StatusCode::UNAUTHORIZED);

    let world = World::inside(Config::default()).await;
    for _ in 0..120 {
        ask_with_code(&world, HOME).await.is(StatusCode::BAD_REQUEST).problem("invalid_grant");
    }
    waits(ask_with_code(&world, HOME).await);
    ask_with_code(&world, ELSEWHERE).await.is(StatusCode::BAD_REQUEST);
}

/// Whoever has somebody's access token cannot try out the password with it.
#[tokio::test]
async fn the_owners_proof_is_not_guessed() {
    let world = World::inside(Config::default()).await;
    let (ada, bob) = (world.household("ada").await, world.household("bob").await);
    let change = |current: &str| json!({"current": current, "new": "a new password"});
    for number in 0..10 {
        let wrong = match number % 2 {
            0 => ada.post("/v1/account/password", change("wrong password")).await,
            _ => ada.post("/v1/account/close", json!({"password": "wrong password"})).await,
        };
        wrong.is(StatusCode::UNAUTHORIZED).problem("wrong_credentials");
    }
    let wait = waits(ada.post("/v1/account/password", change(PASSWORD)).await);
    waits(ada.post("/v1/account/close", json!({"password": PASSWORD})).await);
    bob.post("/v1/account/password", change(PASSWORD)).await.is(StatusCode::NO_CONTENT);
    world.clock.advance(wait);
    ada.post("/v1/account/password", change(PASSWORD)).await.is(StatusCode::NO_CONTENT);
}

/// One who guesses from one address does not lock the owner out at another.
#[tokio::test]
async fn guesses_from_one_address_are_the_guessers_alone() {
    let world = World::inside(Config::default()).await;
    for name in ["ada", "bob"] {
        world.household(name).await;
    }
    for _ in 0..10 {
        sign_in(&world, ELSEWHERE, "ada", "a guess").await.is(StatusCode::UNAUTHORIZED);
    }
    waits(sign_in(&world, ELSEWHERE, "ada", PASSWORD).await);
    sign_in(&world, ELSEWHERE, "bob", PASSWORD).await.is(StatusCode::OK);
    sign_in(&world, HOME, "ada", PASSWORD).await.is(StatusCode::OK);
}

/// Many addresses have a budget together: then even the owner waits, and nobody else does.
#[tokio::test]
async fn guesses_from_many_addresses_are_limited_together() {
    let world = World::inside(Config::default()).await;
    for name in ["ada", "bob"] {
        world.household(name).await;
    }
    for number in 0..100 {
        // No address has used up what it has with this account.
        let address = format!("198.51.100.{}", number % 20);
        sign_in(&world, &address, "ada", "a guess").await.is(StatusCode::UNAUTHORIZED);
    }
    let wait = waits(sign_in(&world, HOME, "ada", PASSWORD).await);
    sign_in(&world, HOME, "bob", PASSWORD).await.is(StatusCode::OK);
    world.clock.advance(wait);
    sign_in(&world, HOME, "ada", PASSWORD).await.is(StatusCode::OK);
}

/// One who tries a password on many accounts is limited, whatever the accounts.
#[tokio::test]
async fn one_password_is_not_tried_on_everybody() {
    let world = World::inside(Config::default()).await;
    world.household("ada").await;
    for number in 0..30 {
        let name = format!("nobody-{number}");
        sign_in(&world, ELSEWHERE, &name, PASSWORD).await.is(StatusCode::UNAUTHORIZED);
    }
    waits(sign_in(&world, ELSEWHERE, "ada", PASSWORD).await);
    sign_in(&world, HOME, "ada", PASSWORD).await.is(StatusCode::OK);
    // Those behind one IPv6 address are one, and so are those of its network.
    for number in 0..30 {
        let (address, name) = (format!("2001:db8::{number:x}"), format!("nobody-{number}"));
        sign_in(&world, &address, &name, PASSWORD).await.is(StatusCode::UNAUTHORIZED);
    }
    waits(sign_in(&world, "2001:db8::ffff", "ada", PASSWORD).await);
    sign_in(&world, "2001:db8:0:1::1", "ada", PASSWORD).await.is(StatusCode::OK);
}

/// What goes well costs nothing: a household with many devices is no attacker.
#[tokio::test]
async fn a_right_password_is_not_counted() {
    let world = World::inside(Config::default()).await;
    world.household("ada").await;
    for _ in 0..120 {
        sign_in(&world, HOME, "ada", PASSWORD).await.is(StatusCode::OK);
    }
    // Nor is the proof that changes something: each change ends the sign-in, and the next one begins another.
    for number in 0..12 {
        let device = match number {
            0 => world.sign_in("ada").await,
            _ => {
                let answer = sign_in(&world, HOME, "ada", "a new password").await;
                Device::of(&world, answer.is(StatusCode::OK))
            }
        };
        let current = if number == 0 { PASSWORD } else { "a new password" };
        let change = json!({"current": current, "new": "a new password"});
        device.post("/v1/account/password", change).await.is(StatusCode::NO_CONTENT);
    }
}
