;; Imports that no host gives, and one whose types alone are wanted.
(component
  (import "log" (func (param "text" string)))
  (import "example:codec/types@1.0.0" (instance (type $e (enum "a" "b")) (export "kind" (type (eq $e)))))
  (import "example:store/bucket@1.0.0" (instance
    (export "bucket" (type $b (sub resource)))
    (export "open" (func (result (own $b))))))
  (import "plugin" (core module (export "f" (func))))
)
