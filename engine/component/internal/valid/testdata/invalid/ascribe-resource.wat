;; it is no resource
(component (type $u u8) (export "t" (type $u) (type (sub resource))))
