;; unsupported: resources that the host does not have
;; missing: wasi:io/poll.thing
(component (import "wasi:io/poll@0.2.0" (instance (export "thing" (type (sub resource))))))
