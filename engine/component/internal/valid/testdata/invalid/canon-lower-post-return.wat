;; a function that is lowered has a post-return function
(component (core module $m (func (export "p"))) (core instance $i (instantiate $m)) (import "f" (func $f))
  (core func (canon lower (func $f) (post-return (core func $i "p")))))
