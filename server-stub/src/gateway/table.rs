//! Which role answers which path.

use crate::roles::Role;

/// The beginnings of paths; the longest that fits decides.
const TABLE: &[(&str, Role)] = &[
    ("/.well-known/jwks.json", Role::Auth),
    ("/v1/account", Role::Auth),
    ("/v1/accounts", Role::Auth),
    ("/v1/device", Role::Auth),
    ("/v1/profiles", Role::Auth),
    ("/v1/sessions", Role::Auth),
    ("/v1/admin/titles", Role::Catalog),
    ("/v1/catalog", Role::Catalog),
    ("/v1/continue-watching", Role::Catalog),
    ("/v1/my-list", Role::Catalog),
    ("/v1/positions", Role::Catalog),
    ("/v1/ratings", Role::Catalog),
    ("/v1/playback", Role::Playback),
    ("/v1/playbacks", Role::Playback),
    ("/v1/admin/edges", Role::Steering),
    ("/v1/steering", Role::Steering),
    ("/v1/license", Role::License),
    ("/v1/events", Role::Events),
    ("/v1/admin/experiments", Role::Experiments),
    ("/v1/admin/models", Role::Recommend),
    ("/v1/rows", Role::Recommend),
];

/// The role that answers a path; none for a path of the API that nobody answers. What is not of the API is a file.
pub fn role_of(path: &str) -> Option<Role> {
    let fits = |prefix: &str| {
        path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let found = TABLE.iter().filter(|(prefix, _)| fits(prefix));
    match found.max_by_key(|(prefix, _)| prefix.len()) {
        Some((_, role)) => Some(*role),
        None => (path != "/v1" && !path.starts_with("/v1/")).then_some(Role::Delivery),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_parts_of_a_path_decide() {
        for (path, role) in [
            ("/v1/account", Some(Role::Auth)),
            ("/v1/accounts", Some(Role::Auth)),
            ("/v1/playback/bunny", Some(Role::Playback)),
            ("/v1/playbacks/0/heartbeat", Some(Role::Playback)),
            ("/v1/admin/titles/x", Some(Role::Catalog)),
            ("/v1/admin/edges", Some(Role::Steering)),
            ("/v1/admin", None),
            ("/v1/accountant", None),
            ("/v1", None),
            ("/v1x", Some(Role::Delivery)),
            ("/t/x/library/a", Some(Role::Delivery)),
            ("/", Some(Role::Delivery)),
        ] {
            assert_eq!(role_of(path), role, "{path}");
        }
    }
}
