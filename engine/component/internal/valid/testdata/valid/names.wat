(component (import "a" (func)) (import "a-B1-2c" (func)) (import "wasi:http/types@0.2.10-rc.1+x" (instance)) (import "wasi:http/HANDLER" (instance))
  (import "url=<https://a.b/c>" (component)) (import "integrity=<sha256-aGVsbG8=>" (component)) (import "locked-dep=<a:b@1.2.3>" (component))
  (import "unlocked-dep=<a:b@{>=1.0.0 <2.0.0}>" (component)))
