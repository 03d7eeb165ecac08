//! The page's key system, which TypeScript drives: Encrypted Media Extensions are there alone.

use js_sys::{Array, Promise, Uint8Array};
use kinora_core::io::{Input, KeySessionId, KeyState, KeyStatus, KeySystemOffer, LicenseCommand};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};

use crate::convert::{array, object, option, text};
use crate::driver::Driver;

#[wasm_bindgen]
extern "C" {
    /// An object with these methods.
    pub type KeyHost;

    /// Resolves to the name of the key system that is open; rejects with a text.
    #[wasm_bindgen(method, js_name = openKeySystem)]
    fn open(this: &KeyHost, offers: &JsValue) -> Promise;
    /// Rejects with a text.
    #[wasm_bindgen(method, js_name = createKeySession)]
    fn create(this: &KeyHost, id: f64, kind: &str, data: &Uint8Array, persistent: bool) -> Promise;
    /// Rejects with a text.
    #[wasm_bindgen(method, js_name = updateKeySession)]
    fn update(this: &KeyHost, id: f64, response: &Uint8Array) -> Promise;
    #[wasm_bindgen(method, js_name = closeKeySession)]
    fn close(this: &KeyHost, id: f64) -> Promise;
    #[wasm_bindgen(method, js_name = shutKeySystem)]
    fn shut(this: &KeyHost) -> Promise;
}

/// Carries out what the core asks of the key system.
pub(crate) fn execute(driver: &Driver, host: &KeyHost, command: LicenseCommand) {
    let number = |session: KeySessionId| session.0 as f64;
    match command {
        LicenseCommand::Open { systems } => {
            let opened = host.open(&array(&systems, offer));
            let driver = driver.clone();
            spawn_local(async move {
                let (opened, reason) = match JsFuture::from(opened).await {
                    Ok(name) => (name.as_string(), String::new()),
                    Err(reason) => (None, reason.as_string().unwrap_or_default()),
                };
                driver.handle(Input::KeySystem { opened, reason });
            });
        }
        LicenseCommand::Create { session, init_data_type, init_data, persistent } => {
            let data = Uint8Array::from(init_data.as_slice());
            watch(
                driver,
                session,
                host.create(number(session), &init_data_type, &data, persistent),
            );
        }
        LicenseCommand::Update { session, response } => {
            let response = Uint8Array::from(response.as_slice());
            watch(driver, session, host.update(number(session), &response));
        }
        LicenseCommand::Close { session } => watch(driver, session, host.close(number(session))),
        LicenseCommand::Shut => watch(driver, KeySessionId(0), host.shut()),
        _ => {}
    }
}

/// What goes well is told by events of the session; what does not, here.
fn watch(driver: &Driver, session: KeySessionId, done: Promise) {
    let driver = driver.clone();
    spawn_local(async move {
        if let Err(reason) = JsFuture::from(done).await {
            let reason = reason.as_string().unwrap_or_default();
            driver.handle(Input::KeySessionFailed { session, reason });
        }
    });
}

fn offer(offer: &KeySystemOffer) -> JsValue {
    let texts = |texts: &[String]| array(texts, |one| text(one));
    let certificate = |bytes: &Vec<u8>| Uint8Array::from(bytes.as_slice()).into();
    object(&[
        ("keySystem", text(&offer.key_system)),
        ("initDataTypes", texts(&offer.init_data_types)),
        ("encryptionScheme", text(&offer.encryption_scheme)),
        ("video", texts(&offer.video)),
        ("audio", texts(&offer.audio)),
        ("videoRobustness", text(&offer.video_robustness)),
        ("audioRobustness", text(&offer.audio_robustness)),
        ("persistent", offer.persistent.into()),
        ("certificate", option(offer.certificate.as_ref(), certificate)),
    ])
}

/// Statuses as the page tells them: names, and the ids that go with them.
pub(crate) fn statuses(ids: &Array, names: &Array) -> Vec<KeyState> {
    let state = |(id, name): (JsValue, JsValue)| KeyState {
        id: id.unchecked_into::<Uint8Array>().to_vec(),
        status: KeyStatus::named(&name.as_string().unwrap_or_default()),
    };
    ids.iter().zip(names.iter()).map(state).collect()
}
