//! The names of elements and attributes that mean something, as numbers.

/// An element or attribute. Names of another namespace than the MPD's begin with a colon in the
/// table: which prefix a document gives them does not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Name {
    /// None of those below.
    Unknown,
    Accessibility,
    Actuate,
    AdaptationSet,
    Add,
    AudioChannelConfiguration,
    AudioSamplingRate,
    AvailabilityEndTime,
    AvailabilityStartTime,
    AvailabilityTimeComplete,
    AvailabilityTimeOffset,
    Bandwidth,
    BaseUrl,
    Binary,
    Codecs,
    ContentComponent,
    ContentEncoding,
    ContentProtection,
    ContentSteering,
    ContentType,
    D,
    DefaultKid,
    DefaultServiceLocation,
    DependencyId,
    Duration,
    EndNumber,
    EssentialProperty,
    Event,
    EventStream,
    FrameRate,
    GroupLabel,
    Height,
    Href,
    Id,
    ImportedMpd,
    InbandEventStream,
    Inband,
    IndexRange,
    Initialization,
    InitializationTemplate,
    InsertPresentation,
    Label,
    Lang,
    Latency,
    Laurl,
    LicenseUrl,
    Location,
    Max,
    MaxDuration,
    MaxPlayoutRate,
    Media,
    MediaPresentationDuration,
    MediaRange,
    MessageData,
    MimeType,
    Min,
    MinimumUpdatePeriod,
    Mpd,
    MpdId,
    OperatingBandwidth,
    OriginalPublishTime,
    P,
    Patch,
    PatchLocation,
    Pattern,
    Period,
    PlaybackRate,
    Pos,
    Preselection,
    PreselectionComponents,
    PresentationTime,
    PresentationTimeOffset,
    Priority,
    Pro,
    ProducerReferenceTime,
    Pssh,
    PublishTime,
    QualityRanking,
    QueryBeforeStart,
    R,
    Range,
    Rating,
    Ref,
    ReferenceId,
    RefId,
    Remove,
    Replace,
    ReplacePresentation,
    Representation,
    Resync,
    ReturnOffset,
    Robustness,
    Role,
    S,
    ScanType,
    SchemeIdUri,
    Scope,
    SegmentBase,
    SegmentList,
    SegmentTemplate,
    SegmentTimeline,
    SegmentUrl,
    Sel,
    SelectionPriority,
    ServiceDescription,
    ServiceLocation,
    Signal,
    SourceUrl,
    Start,
    StartNumber,
    SuggestedPresentationDelay,
    SupplementalCodecs,
    SupplementalProperty,
    Target,
    TimeShiftBufferDepth,
    Timescale,
    Ttl,
    Type,
    Uri,
    Url,
    UtcTiming,
    Value,
    Viewpoint,
    WallClockTime,
    Weight,
    Width,
    DT,
}

/// Every spelling, sorted by name.
const SPELLINGS: &[(Name, &str)] = {
    use Name::*;
    &[
        (Accessibility, "Accessibility"),
        (Actuate, ":actuate"),
        (AdaptationSet, "AdaptationSet"),
        (Add, "add"),
        (AudioChannelConfiguration, "AudioChannelConfiguration"),
        (AudioSamplingRate, "audioSamplingRate"),
        (AvailabilityEndTime, "availabilityEndTime"),
        (AvailabilityStartTime, "availabilityStartTime"),
        (AvailabilityTimeComplete, "availabilityTimeComplete"),
        (AvailabilityTimeOffset, "availabilityTimeOffset"),
        (Bandwidth, "bandwidth"),
        (BaseUrl, "BaseURL"),
        (Binary, "Binary"),
        (Binary, ":Binary"),
        (Codecs, "codecs"),
        (ContentComponent, "ContentComponent"),
        (ContentEncoding, "contentEncoding"),
        (ContentProtection, "ContentProtection"),
        (ContentSteering, "ContentSteering"),
        (ContentType, "contentType"),
        (D, "d"),
        (DefaultKid, ":default_KID"),
        (DefaultServiceLocation, "defaultServiceLocation"),
        (DependencyId, "dependencyId"),
        (DT, "dT"),
        (Duration, "duration"),
        (EndNumber, "endNumber"),
        (EssentialProperty, "EssentialProperty"),
        (Event, "Event"),
        (EventStream, "EventStream"),
        (FrameRate, "frameRate"),
        (GroupLabel, "GroupLabel"),
        (Height, "height"),
        (Href, ":href"),
        (Id, "id"),
        (ImportedMpd, "ImportedMPD"),
        (InbandEventStream, "InbandEventStream"),
        (Inband, "inband"),
        (IndexRange, "indexRange"),
        (Initialization, "Initialization"),
        (InitializationTemplate, "initialization"),
        (InsertPresentation, "InsertPresentation"),
        (Label, "Label"),
        (Lang, "lang"),
        (Latency, "Latency"),
        (Laurl, "Laurl"),
        (Laurl, ":Laurl"),
        (Laurl, "laurl"),
        (Laurl, ":laurl"),
        (LicenseUrl, "licenseUrl"),
        (LicenseUrl, ":licenseUrl"),
        (Location, "Location"),
        (Max, "max"),
        (MaxDuration, "maxDuration"),
        (MaxPlayoutRate, "maxPlayoutRate"),
        (Media, "media"),
        (MediaPresentationDuration, "mediaPresentationDuration"),
        (MediaRange, "mediaRange"),
        (MessageData, "messageData"),
        (MimeType, "mimeType"),
        (Min, "min"),
        (MinimumUpdatePeriod, "minimumUpdatePeriod"),
        (Mpd, "MPD"),
        (MpdId, "mpdId"),
        (OperatingBandwidth, "OperatingBandwidth"),
        (OriginalPublishTime, "originalPublishTime"),
        (P, "P"),
        (Patch, "Patch"),
        (PatchLocation, "PatchLocation"),
        (Pattern, "Pattern"),
        (Period, "Period"),
        (PlaybackRate, "PlaybackRate"),
        (Pos, "pos"),
        (Preselection, "Preselection"),
        (PreselectionComponents, "preselectionComponents"),
        (PresentationTime, "presentationTime"),
        (PresentationTimeOffset, "presentationTimeOffset"),
        (Priority, ":priority"),
        (Pro, "pro"),
        (Pro, ":pro"),
        (ProducerReferenceTime, "ProducerReferenceTime"),
        (Pssh, "pssh"),
        (Pssh, ":pssh"),
        (PublishTime, "publishTime"),
        (QualityRanking, "qualityRanking"),
        (QueryBeforeStart, "queryBeforeStart"),
        (R, "r"),
        (Range, "range"),
        (Rating, "Rating"),
        (Ref, "ref"),
        (ReferenceId, "referenceId"),
        (RefId, "refId"),
        (Remove, "remove"),
        (Replace, "replace"),
        (ReplacePresentation, "ReplacePresentation"),
        (Representation, "Representation"),
        (Resync, "Resync"),
        (ReturnOffset, "returnOffset"),
        (Robustness, "robustness"),
        (Robustness, ":robustness"),
        (Role, "Role"),
        (S, "S"),
        (ScanType, "scanType"),
        (SchemeIdUri, "schemeIdUri"),
        (Scope, "Scope"),
        (SegmentBase, "SegmentBase"),
        (SegmentList, "SegmentList"),
        (SegmentTemplate, "SegmentTemplate"),
        (SegmentTimeline, "SegmentTimeline"),
        (SegmentUrl, "SegmentURL"),
        (Sel, "sel"),
        (SelectionPriority, "selectionPriority"),
        (ServiceDescription, "ServiceDescription"),
        (ServiceLocation, "serviceLocation"),
        (Signal, "Signal"),
        (Signal, ":Signal"),
        (SourceUrl, "sourceURL"),
        (Start, "start"),
        (StartNumber, "startNumber"),
        (SuggestedPresentationDelay, "suggestedPresentationDelay"),
        (SupplementalCodecs, ":supplementalCodecs"),
        (SupplementalProperty, "SupplementalProperty"),
        (Target, "target"),
        (TimeShiftBufferDepth, "timeShiftBufferDepth"),
        (Timescale, "timescale"),
        (Ttl, "ttl"),
        (Type, "type"),
        (Uri, "uri"),
        (Url, "url"),
        (UtcTiming, "UTCTiming"),
        (Value, "value"),
        (Viewpoint, "Viewpoint"),
        (WallClockTime, "wallClockTime"),
        (Weight, ":weight"),
        (Width, "width"),
    ]
};

const SLOTS: usize = 512;

/// Positions in `SPELLINGS`, counted from 1, where their hash puts them or after.
static TABLE: [u8; SLOTS] = {
    let mut table = [0; SLOTS];
    let mut position = 0;
    while position < SPELLINGS.len() {
        let text = SPELLINGS[position].1.as_bytes();
        let (text, foreign) = match text {
            [b':', rest @ ..] => (rest, true),
            _ => (text, false),
        };
        let mut slot = hash(text, foreign);
        while table[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        position += 1;
        table[slot] = position as u8;
    }
    table
};

/// Length, ends and middle tell nearly all of them apart.
const fn hash(text: &[u8], foreign: bool) -> usize {
    let length = text.len();
    if length == 0 {
        return 0;
    }
    let (first, middle, last) = (text[0], text[length / 2], text[length - 1]);
    let mut hash = length + foreign as usize * 64;
    hash = hash * 31 + first as usize;
    hash = hash * 31 + middle as usize;
    hash = hash * 31 + last as usize;
    hash % SLOTS
}

impl Name {
    /// What a local name means, in the MPD's own namespace or in another.
    #[inline(never)]
    pub(super) fn of(text: &str, foreign: bool) -> Self {
        let mut slot = hash(text.as_bytes(), foreign);
        loop {
            let position = usize::from(TABLE.get(slot).copied().unwrap_or(0));
            let Some((name, spelling)) = position.checked_sub(1).and_then(|at| SPELLINGS.get(at))
            else {
                return Self::Unknown;
            };
            let same = match spelling.as_bytes() {
                [b':', spelling @ ..] => foreign && spelling == text.as_bytes(),
                spelling => !foreign && spelling == text.as_bytes(),
            };
            if same {
                return *name;
            }
            slot = (slot + 1) % SLOTS;
        }
    }

    /// As it is spelt, without prefix.
    pub(super) fn text(self) -> &'static str {
        let spelling = SPELLINGS.iter().find(|(name, _)| *name == self);
        spelling.map_or("", |(_, text)| text.strip_prefix(':').unwrap_or(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_found() {
        for (name, text) in SPELLINGS {
            let (text, foreign) =
                text.strip_prefix(':').map_or((*text, false), |text| (text, true));
            assert_eq!(Name::of(text, foreign), *name, "{text}");
        }
        assert_eq!(Name::of("adaptationset", false), Name::Unknown);
        assert_eq!(Name::of("AdaptationSet", true), Name::Unknown);
        assert_eq!(Name::of("", false), Name::Unknown);
        assert_eq!(Name::DefaultKid.text(), "default_KID");
        assert!(SPELLINGS.len() < 256);
    }
}
