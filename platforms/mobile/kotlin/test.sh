#!/usr/bin/env bash
# Builds the Kotlin library on this machine's JVM and proves it. See --help.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: test.sh [--no-build] [--compile-only] [FILTER...]

Builds the native library, generates the Kotlin and Swift sources that call it, compiles the Kotlin
library and its tests, and runs those whose name contains a FILTER, or all of them. The tests play a
generated clip from a real kinora-server. Ends with a line "N passed, N failed".

  --no-build       take the Rust programs and the library as Cargo left them last
  --compile-only   stop before running the tests

Everything lands in kotlin/ of Cargo's target directory, and is only made again when it must be.

Environment:
  CARGO_TARGET_DIR   Cargo's target directory, as for Cargo itself
  JNA_JAR            JNA (5.13 or later), where it is not /usr/share/java/jna.jar
  ANDROID_JAR        an android.jar, to compile what only Android can run, too

Exit codes:
  0  every test passed
  1  a test failed, or something could not be built
  2  the command line makes no sense
  3  a program this needs is not installed; the message says how to install it
TEXT
}

compiler_version=2.4.20

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
out=$target/kotlin
binaries=$target/debug
jna=${JNA_JAR:-/usr/share/java/jna.jar}

main() {
    local build=true compile_only=false filters=()
    while (($#)); do
        case $1 in
            -h | --help) usage && exit 0 ;;
            --no-build) build=false ;;
            --compile-only) compile_only=true ;;
            -*) usage >&2 && exit 2 ;;
            *) filters+=("$1") ;;
        esac
        shift
    done

    check_requirements
    mkdir -p "$out"
    if $build; then build_native; fi
    fetch_compiler
    generate_sources
    compile library "$out/kinora.jar" "$jna" "$here/src/main" "$out/generated/kotlin"
    compile tests "$out/kinora-tests.jar" "$out/kinora.jar:$jna:$(kotlin_jar kotlin-test)" \
        "$here/src/test"
    if [[ -n ${ANDROID_JAR:-} ]]; then
        compile android "$out/kinora-android.jar" "$out/kinora.jar:$jna:$ANDROID_JAR" "$here/src/android"
    fi
    if $compile_only; then return; fi
    package_clip
    package_protected
    run_tests "${filters[@]}"
}

say() { printf '%s\n' "$*" >&2; }

check_requirements() {
    local missing=() major
    major=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1) || major=
    ((${major:-0} >= 17)) || missing+=(openjdk-17-jre-headless)
    command -v npm >/dev/null || missing+=(npm)
    command -v ffmpeg >/dev/null || missing+=(ffmpeg)
    [[ -e $jna ]] || missing+=(libjna-java)
    if ((${#missing[@]})); then
        say "Not installed. Run: apt-get install --no-install-recommends ${missing[*]}"
        exit 3
    fi
}

# Each on its own: what is built together shares its features, and the generator's do not belong
# into the library.
build_native() {
    say "Building the native library, the generator, the server and the lab"
    (
        cd "$root"
        cargo build --quiet -p kinora-mobile
        cargo build --quiet -p kinora-mobile-bindgen
        cargo build --quiet -p kinora-server --bins
        cargo build --quiet -p kinora-tests --bins
    )
}

# The compiler as its makers publish it on npm; npm checks it against the registry's digest.
fetch_compiler() {
    local home=$out/kotlinc-$compiler_version
    [[ -e $home/bin/kotlinc ]] && return
    say "Fetching the Kotlin compiler $compiler_version (90 MB)"
    local fresh
    fresh=$(mktemp -d "$out/kotlinc.XXXXXX")
    (
        cd "$fresh"
        npm pack --silent "kotlin-compiler@$compiler_version" >/dev/null
        tar -xzf ./*.tgz --strip-components=1
        rm ./*.tgz
    )
    rm -rf "$home"
    mv "$fresh" "$home"
}

kotlin_jar() { printf '%s' "$out/kotlinc-$compiler_version/lib/$1.jar"; }

generate_sources() {
    local library=$binaries/libkinora_mobile.so generator=$binaries/kinora-mobile-bindgen
    local stamp
    stamp=$(sha256sum "$library" "$generator" "$here/../uniffi.toml" | digest)
    up_to_date "$out/generated" "$stamp" && return
    say "Generating the Kotlin and Swift sources"
    rm -rf "$out/generated"
    (
        cd "$root"
        "$generator" "$library" --language kotlin --out-dir "$out/generated/kotlin"
        "$generator" "$library" --language swift --out-dir "$out/generated/swift"
    )
    put_stamp "$out/generated" "$stamp"
}

# compile WHAT JAR CLASSPATH SOURCES...
compile() {
    local what=$1 jar=$2 classpath=$3 stamp
    shift 3
    stamp=$({
        printf '%s\n' "$compiler_version"
        find "$@" -name '*.kt' -print0 | sort -z | xargs -0 sha256sum
        [[ $what == library ]] || sha256sum "$out/kinora.jar"
    } | digest)
    up_to_date "$jar" "$stamp" && return
    say "Compiling the Kotlin $what"
    rm -f "$jar"
    local options=(-module-name "kinora-$what" -jvm-target 17 -no-reflect -classpath "$classpath")
    # The tests may look inside the library.
    [[ $what == library ]] || options+=("-Xfriend-paths=$out/kinora.jar")
    # The generated source has its own ways; what it warns of is not ours to mend.
    local log=$out/$what.log
    if ! "$out/kotlinc-$compiler_version/bin/kotlinc" "${options[@]}" -d "$jar" "$@" 2>"$log"; then
        cat "$log" >&2
        exit 1
    fi
    if grep -v "^$out/generated/" "$log" | grep ': warning: ' >&2; then
        rm -f "$jar"
        say "The Kotlin $what must compile without warnings"
        exit 1
    fi
    put_stamp "$jar" "$stamp"
}

package_clip() {
    local clip=$out/clip stamp
    stamp=$(printf 'testsrc:8 640x360' | digest)
    up_to_date "$clip" "$stamp" && return
    say "Packaging the test clip"
    rm -rf "$clip"
    "$binaries/kinora-server" package testsrc:8:640x360 "$clip" >"$out/package.log" 2>&1 || {
        cat "$out/package.log" >&2
        exit 1
    }
    put_stamp "$clip" "$stamp"
}

# The same encodings in the clear, and encrypted in every way; with the keys, and a service's list of titles.
package_protected() {
    local folder=$out/protected stamp scheme
    stamp=$(printf 'testsrc:4 320x180, 1 %s' "$(sha256sum "$binaries/kinora-server")" | digest)
    up_to_date "$folder" "$stamp" && return
    say "Packaging the encrypted clips"
    rm -rf "$folder"
    mkdir -p "$folder"
    local usual=(testsrc:4:320x180 --threads 1 --preset ultrafast --ladder 180:300)
    {
        "$binaries/kinora-server" package "${usual[@]}" "$folder/clear"
        for scheme in cbcs cenc aes-128; do
            "$binaries/kinora-server" package "${usual[@]}" "$folder/$scheme" \
                --data "$folder/data" --item "$scheme" --protect "$scheme" --rotation-seconds 2
        done
        {
            printf '{"titles":['
            for scheme in cbcs cenc aes-128; do
                printf '{"id":"%s","kind":"film","name":"%s","maturity":0,' "$scheme" "$scheme"
                printf '"media":{"duration_seconds":4,"hls":"/%s/master.m3u8"}}' "$scheme"
                [[ $scheme == aes-128 ]] || printf ','
            done
            printf ']}'
        } >"$folder/titles.json"
        "$binaries/kinora-server" import "$folder/titles.json" --data "$folder/data"
    } >"$out/protected.log" 2>&1 || {
        cat "$out/protected.log" >&2
        exit 1
    }
    put_stamp "$folder" "$stamp"
}

run_tests() {
    local classpath=$out/kinora-tests.jar:$out/kinora.jar:$jna
    classpath+=:$(kotlin_jar kotlin-stdlib):$(kotlin_jar kotlin-test)
    exec java -cp "$classpath" \
        -Djna.library.path="$binaries" \
        -Dkinora.server="$binaries/kinora-server" \
        -Dkinora.lab="$binaries/kinora-lab" \
        -Dkinora.clip="$out/clip" \
        -Dkinora.protected="$out/protected" \
        -Dkinora.swift="$out/generated/swift" \
        kinora.TestsKt "$@"
}

# A thing is up to date when the stamp beside it says what it was made of.
digest() { sha256sum | cut -d ' ' -f 1; }
up_to_date() { [[ -e $1 && -e $1.stamp && $(<"$1.stamp") == "$2" ]]; }
put_stamp() { printf '%s' "$2" >"$1.stamp"; }

main "$@"
