//! Reports on what happens, to collectors (CTA-5004-B §2.2, event mode). They are sent as everything else is, and nothing
//! that plays depends on them: neither estimates nor what is known of CDNs.

use super::{Place, Requests, Wish, is_of_cdn};
use crate::context::Context;
use crate::io::RequestKind;
use crate::presentation::Origin;
use crate::telemetry::cmcd::Response;
use crate::url;

impl Requests {
    /// Tells collectors what has happened; `all` that waits is sent, where nothing more will happen.
    pub(crate) fn report(&mut self, cx: &mut Context<'_>, all: bool) {
        let Some(wall_us) = cx.device_clock else { return };
        let config = cx.config;
        self.cmcd.look(config, cx.now, wall_us);
        for (number, target) in config.cmcd.targets.iter().enumerate() {
            let Some(batch) = self.cmcd.events.batch(number, target.batch, all) else { continue };
            let mut headers = vec![("Content-Type".to_owned(), "application/cmcd".to_owned())];
            if let Some(credentials) = &target.authorization {
                headers.push(("Authorization".to_owned(), credentials.clone()));
            }
            // A collector that fails says nothing of media on the same host.
            let name = ["reports to ", url::site(&target.url)].concat();
            let origin = Origin { pathway: Some(name), ..Origin::default() };
            let place = Place { origin: self.origins.find(&origin), url: target.url.clone() };
            let wish = Wish {
                patient: true,
                headers,
                post: Some(batch.into_bytes()),
                ..Wish::new(RequestKind::Report, vec![place])
            };
            let ticket = self.start(cx, wish);
            self.cmcd.events.sent(number, ticket);
        }
    }

    /// A request has been answered, or has come to nothing.
    pub(super) fn tell_of(&mut self, cx: &Context<'_>, response: &Response<'_>) {
        if let Some(wall_us) = cx.device_clock.filter(|_| is_of_cdn(response.kind)) {
            self.cmcd.answered(&cx.config.cmcd, wall_us, response);
        }
    }
}
