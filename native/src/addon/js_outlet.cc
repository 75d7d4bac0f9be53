// The log, on stderr or in a file. Writing never blocks the event loop.
#include <cstdlib>

#include "addon/js.h"
#include "proc/outlet.h"

namespace pbox::js {
namespace {

void write_stderr(const CallbackInfo& info) { Outlet::standard_error().write(info[0].As<String>()); }

class JsOutlet : public Napi::ObjectWrap<JsOutlet> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Outlet", {InstanceMethod<&JsOutlet::write>("write"), InstanceMethod<&JsOutlet::close>("close")});
  }

  explicit JsOutlet(const CallbackInfo& info)
      : Napi::ObjectWrap<JsOutlet>(info), outlet_(std::make_shared<Outlet>(info[0].As<Number>().Int32Value(), true)) {}

 private:
  void write(const CallbackInfo& info) {
    if (outlet_) outlet_->write(info[0].As<String>());
  }

  void close(const CallbackInfo&) { outlet_.reset(); }

  std::shared_ptr<Outlet> outlet_;
};

}  // namespace

void export_outlet(Env env, Object& exports) {
  exports.Set("writeStderr", Napi::Function::New<write_stderr>(env));
  exports.Set("Outlet", JsOutlet::define(env));
  env.AddCleanupHook([] { Outlet::drain_all(Outlet::kExitDrainMs); });
  std::atexit([] { Outlet::drain_all(Outlet::kExitDrainMs); });  // process.exit() does not always run the hook
}

}  // namespace pbox::js
